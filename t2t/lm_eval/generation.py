"""Generation as the harness asks for it: by names of Hugging Face, and until certain texts."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from t2t.data.vocabularies import Vocabulary
from t2t.decoding.beam import Beam
from t2t.decoding.decoding import Decoding
from t2t.decoding.length_penalties import LengthPower
from t2t.decoding.prediction import Record
from t2t.decoding.processors import Processor
from t2t.decoding.processors.ngrams import NoRepeatNGrams
from t2t.decoding.processors.repetition import RepetitionPenalty
from t2t.decoding.reading import Draft, Output, Reader, text_after
from t2t.decoding.sampling import Sampling
from t2t.decoding.strategy import Strategy
from t2t.errors import UserError, did_you_mean
from t2t.lm_eval.texts import Texts

_LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
_WARPING = ("temperature", "top_k", "top_p", "min_p")
_OTHERS: dict[str, Callable[[Any], Processor]] = {
    "repetition_penalty": RepetitionPenalty,
    "no_repeat_ngram_size": NoRepeatNGrams,
}
_STOPS = {"never": "exact", False: "heuristic", True: "first"}
_KNOWN = (
    *("until", "do_sample", "num_beams", "length_penalty", "early_stopping", "min_new_tokens"),
    *(*_LENGTHS, *_WARPING, *_OTHERS),
)


@dataclasses.dataclass(frozen=True)
class Request:
    """How to generate.

    Attributes:
      decoding: but for stop tokens.
      until: texts before which an output ends.
    """

    decoding: Decoding
    until: tuple[str, ...]


def request_of(given: Mapping[str, Any], max_gen_toks: int, seed: int = 0) -> Request:
    """What a task's `generation_kwargs` ask for.

    Sampling, if `do_sample` says so or, without it, a `temperature` above 0; beam search, if
    `num_beams` is above 1; else greedily.

    Args:
      given: by the names of Hugging Face.
      max_gen_toks: where they do not say.
      seed: of sampling.

    Raises:
      UserError: a name is unknown, or a value cannot be.
    """
    if unknown := [name for name in given if name not in _KNOWN]:
        raise UserError(
            f"generation_kwargs: '{unknown[0]}' is not known here."
            + did_you_mean(unknown[0], _KNOWN)
            + f" Known are {', '.join(_KNOWN)}."
        )
    until = given.get("until") or []
    until = [until] if isinstance(until, str) else until
    lengths = [given[name] for name in _LENGTHS if given.get(name) is not None]
    length = int(lengths[0]) if lengths else max_gen_toks
    processors = tuple(make(given[name]) for name, make in _OTHERS.items() if given.get(name))
    decoding = Decoding(
        _strategy(given, seed),
        length,
        min(int(given.get("min_new_tokens") or 0), length),
        processors,
    )
    return Request(decoding, tuple(text for text in until if text))


def _strategy(given: Mapping[str, Any], seed: int) -> Strategy:
    temperature, samples = given.get("temperature"), given.get("do_sample")
    if samples is None:
        samples = bool(temperature)
    beams = int(given.get("num_beams") or 1)
    if samples and beams > 1:
        raise UserError("generation_kwargs: do_sample with num_beams is not done here.")
    if samples:
        warping = {name: given[name] for name in _WARPING if given.get(name) is not None}
        return Sampling(**{"temperature": 1.0, **warping}, seed=seed)
    if beams > 1:
        penalty = LengthPower(float(given.get("length_penalty", 1.0)))
        return Beam(beams, 1, penalty, _STOPS[given.get("early_stopping", False)])
    return Decoding().strategy


class ContextReader(Reader):
    """Contexts to prompts, and what is said to text."""

    def __init__(self, texts: Texts, eos_id: int | None, max_length: int):
        self._texts, self._max_length = texts, max_length
        self.vocabulary, self.eos_id = texts.vocabulary, eos_id

    def read(self, record: Record, name: str) -> Draft:
        context = self._texts.read(record["inputs"])
        prompt = self._texts.prompt(context, self._max_length)
        before = np.array(context if self._texts.joined else [], np.int32)

        def then(said: np.ndarray) -> Output:
            spoken = said[~np.isin(said, self._texts.unspoken)]
            return Output(text_after(self.vocabulary, before, spoken))

        return Draft(prompt, then)


def cut(text: str, until: Sequence[str]) -> str:
    """What stands before the first of some texts."""
    for stop in until:
        text = text.split(stop)[0]
    return text


@functools.lru_cache(maxsize=16)
def stop_tokens(vocabulary: Vocabulary, until: tuple[str, ...]) -> tuple[int, ...]:
    """Tokens that end an output early: they begin with a text that it ends before.

    Where such a text is several tokens, or begins within one, it is found in the output only.
    """
    if not until:
        return ()
    before = vocabulary.encode("a")
    known = len(vocabulary.decode(before))

    def piece(token: int) -> str:
        return vocabulary.decode([*before, token])[known:]

    return tuple(i for i in range(vocabulary.vocab_size) if piece(i).startswith(until))
