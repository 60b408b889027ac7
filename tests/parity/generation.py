"""Generation by transformers and by t2t, from the same random weights and the same inputs.

The end of sequence is a token that some rows say sooner, others later or never. The padding is
never said: transformers takes that of prompts for something that was.
"""

import dataclasses
import functools
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import torch
from transformers import GenerationConfig

from t2t.decoding.beam import Beam
from t2t.decoding.decoding import Decoding
from t2t.decoding.generate import generate
from t2t.decoding.greedy import Greedy
from t2t.decoding.length_penalties import LengthPower
from t2t.decoding.processors.allowed import BlockedTokens
from t2t.decoding.processors.ngrams import NoRepeatNGrams
from t2t.decoding.processors.repetition import RepetitionPenalty
from t2t.interop.hugging_face import load_hf
from t2t.models.definition import Model
from t2t.models.encoder_decoder import EncoderDecoder
from tests.parity.harness import Case, random_model

ROWS, NEW = 16, 12
TOLERANCE = 1e-4
_INPUTS, _PROMPT = 9, 7
_STOPS = {False: "heuristic", True: "first", "never": "exact"}

Batch = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Settings:
    """Of one generation, by the names of transformers.

    Attributes:
      prefix: tokens that an encoder-decoder's output is forced to begin with.
      ragged: whether rows have prefixes of different lengths, at most that.
      several_ends: whether three tokens that are often said end a text, too.
    """

    num_beams: int = 1
    num_return_sequences: int = 1
    length_penalty: float = 1.0
    early_stopping: bool | str = False
    min_new_tokens: int = 0
    no_repeat_ngram_size: int = 0
    repetition_penalty: float = 1.0
    prefix: int = 0
    ragged: bool = False
    several_ends: bool = False

    def __str__(self) -> str:
        default = vars(Settings())
        given = {name: value for name, value in vars(self).items() if value != default[name]}
        return ",".join(f"{name}={value}" for name, value in given.items()) or "plain"

    def theirs(self, ends: Sequence[int], pad: int) -> GenerationConfig:
        ours = ("prefix", "ragged", "several_ends")
        settings = {n: v for n, v in vars(self).items() if n not in ours}
        if self.num_beams == 1:
            settings = {
                n: v for n, v in settings.items() if n not in ("length_penalty", "early_stopping")
            }
        return GenerationConfig(
            **settings,
            max_new_tokens=NEW,
            eos_token_id=list(ends) or None,
            pad_token_id=pad,
            suppress_tokens=[pad],
            use_cache=False,  # T5's has room for as many layers as the encoder has
            return_dict_in_generate=True,
            output_logits=True,
            output_scores=True,
        )

    def ours(self, ends: Sequence[int], pad: int) -> Decoding:
        processors: list[Any] = [BlockedTokens((pad,))]
        if self.repetition_penalty != 1:
            processors.append(RepetitionPenalty(self.repetition_penalty))
        if self.no_repeat_ngram_size:
            processors.append(NoRepeatNGrams(self.no_repeat_ngram_size))
        strategy: Any = Greedy()
        if self.num_beams > 1:
            penalty, stop = LengthPower(self.length_penalty), _STOPS[self.early_stopping]
            strategy = Beam(self.num_beams, self.num_return_sequences, penalty, stop)
        return Decoding(strategy, NEW, self.min_new_tokens, tuple(processors), tuple(ends[1:]))


class Outputs(NamedTuple):
    """Tokens int `[rows, n, NEW]`, 0 after the end of sequence, and scores `[rows, n]`."""

    tokens: np.ndarray
    scores: np.ndarray


class Generator:
    """A random model, of transformers and ours; what ends its texts is chosen by what it says."""

    def __init__(self, case: Case, seed: int = 0):
        self._theirs = random_model(case, seed)
        # Their models come with settings of generation, too, such as BART's last token.
        self._theirs.generation_config = GenerationConfig(
            decoder_start_token_id=self._theirs.generation_config.decoder_start_token_id,
            bos_token_id=self._theirs.generation_config.bos_token_id,
        )
        with tempfile.TemporaryDirectory() as folder:
            self._theirs.save_pretrained(folder)
            config, self._params, _ = load_hf(Path(folder))
        self.pad = config.tokens.pad or 0
        self._ours, self._ends = config, ()
        said = self.theirs(Settings(), self.batch(Settings(), 0)).tokens
        self.eos = _said_by_some(said)
        often = Counter(said[said != self.eos].tolist()).most_common(3)
        self._ends = (self.eos, *(token for token, _ in often))
        tokens = dataclasses.replace(config.tokens, eos=self.eos)
        self._ours = dataclasses.replace(config, tokens=tokens)
        model = Model(self._ours)
        self._generate = jax.jit(
            lambda params, batch, decoding: generate(model.bind(params), batch, decoding),
            static_argnums=2,
        )

    def batch(self, settings: Settings, seed: int) -> Batch:
        """As our models take it: padding behind the inputs, and in front of the prompts."""
        rng = np.random.default_rng(seed)

        def texts(shortest: int, longest: int) -> list[np.ndarray]:
            lengths = rng.integers(shortest, longest + 1, ROWS)
            lengths[0] = longest
            return [rng.integers(5, self._ours.vocab_size, n) for n in lengths]

        if not isinstance(self._ours, EncoderDecoder):
            return self._prompts(texts(2, _PROMPT))
        encoder = np.full((ROWS, _INPUTS), self.pad, np.int32)
        for row, text in zip(encoder, texts(3, _INPUTS), strict=True):
            row[: len(text)] = text
        prefixes = texts(0 if settings.ragged else settings.prefix, settings.prefix)
        return {"encoder_input_tokens": encoder, **self._prompts(prefixes)}

    def _prompts(self, texts: list[np.ndarray]) -> Batch:
        length = 1 + max(map(len, texts))
        tokens = np.full((ROWS, length), self.pad, np.int32)
        segments = np.zeros((ROWS, length), np.int32)
        for i, text in enumerate(texts):
            tokens[i, length - len(text) - 1 :] = self._ours.tokens.start, *text
            segments[i, length - len(text) - 1 :] = 1
        return {"decoder_input_tokens": tokens, "decoder_segment_ids": segments}

    def ends(self, settings: Settings) -> tuple[int, ...]:
        """What ends a text, the model's own end of sequence first."""
        return self._ends if settings.several_ends else self._ends[:1]

    def ours(self, settings: Settings, batch: Batch) -> Outputs:
        decoding = settings.ours(self.ends(settings), self.pad)
        return Outputs(*jax.device_get(self._generate(self._params, batch, decoding)))

    def theirs(self, settings: Settings, batch: Batch) -> Outputs:
        given = {name: torch.from_numpy(array).long() for name, array in batch.items()}
        prompt, real = given["decoder_input_tokens"], given["decoder_segment_ids"]
        arguments = {"input_ids": prompt, "attention_mask": real}
        if "encoder_input_tokens" in given:
            inputs = given["encoder_input_tokens"]
            arguments = {
                "input_ids": inputs,
                "attention_mask": (inputs != self.pad).long(),
                "decoder_input_ids": prompt,
                "decoder_attention_mask": real,
            }
        ends = self.ends(settings)
        config = settings.theirs(ends, self.pad)
        output = self._theirs.generate(**arguments, generation_config=config)
        said = output.sequences[:, prompt.shape[1] :].numpy()
        tokens = np.zeros((len(said), NEW), np.int32)
        tokens[:, : said.shape[1]] = said
        is_end = np.isin(tokens, ends)
        ended = np.cumsum(is_end, axis=1)
        real = (ended == 0) | ((ended == 1) & is_end)
        tokens[~real] = 0
        if settings.num_beams > 1:
            scores = output.sequences_scores.numpy()
        else:
            scores = _log_probability(output.logits, tokens, real)
        n = settings.num_return_sequences
        return Outputs(tokens.reshape(ROWS, n, NEW), scores.reshape(ROWS, n))


@functools.cache
def generator(case: Case) -> Generator:
    return Generator(case)


def _said_by_some(tokens: np.ndarray) -> int:
    """The token that the most nearly half of the rows `[rows, 1, length]` say."""
    shares = {int(t): (tokens == t).any(axis=(1, 2)).mean() for t in np.unique(tokens)}
    return min(shares, key=lambda token: abs(shares[token] - 0.5))


def _log_probability(
    logits: tuple[torch.Tensor, ...], tokens: np.ndarray, real: np.ndarray
) -> np.ndarray:
    """float `[rows]` of the real ones among tokens `[rows, length]`, by logits of every step."""
    chosen = torch.from_numpy(tokens).long()
    gained = [
        torch.log_softmax(of_step, -1).gather(1, chosen[:, i : i + 1])[:, 0].numpy()
        for i, of_step in enumerate(logits)
    ]
    return (np.stack(gained, axis=1) * real[:, : len(gained)]).sum(axis=1)
