"""Records to prompts, and what a model says to them back to text."""

import abc
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from t2t.data.features import (
    Feature,
    FramedFeature,
    append_eos_after_trim,
    around,
    inputs_feature,
)
from t2t.data.vocabularies import Vocabulary
from t2t.decoding.position_limits import encoder_limit, prompt_limit
from t2t.decoding.prediction import Record
from t2t.decoding.prompts import (
    NOTHING,
    Prompt,
    check_generates,
    make_prompt,
)
from t2t.errors import UserError
from t2t.models.definition import ModelConfig
from t2t.models.encoder_decoder import EncoderDecoder


@dataclasses.dataclass(frozen=True)
class Output:
    """A finished text, and what else there is to tell of it, as in `Prediction`."""

    text: str
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Draft:
    """An output in the making.

    Attributes:
      prompt: what a model reads next.
      then: given what it says, int32 `[length]` without an end of sequence, the finished output,
        or a draft with more to say.
    """

    prompt: Prompt
    then: Callable[[np.ndarray], "Draft | Output"]


class Reader(abc.ABC):
    """Makes drafts of records for one model and way of decoding."""

    vocabulary: Vocabulary
    """Of what the model says."""
    eos_id: int | None
    """What ends it; None: nothing does."""

    @abc.abstractmethod
    def read(self, record: Record, name: str) -> Draft:
        """The draft for a record, which is called `name` ("Record 3") where there is an error.

        Raises:
          UserError: if it lacks a field, or has more tokens than are allowed.
        """


@dataclasses.dataclass(frozen=True)
class InputLimit:
    """How many tokens of "inputs" are read.

    Attributes:
      max_length: at most, the end of sequence included; None for all that the model can read.
      truncate: cut longer inputs instead of raising an error.
    """

    max_length: int | None = None
    truncate: bool = False

    def __post_init__(self):
        if self.max_length is not None and self.max_length < 1:
            raise UserError(f"max_input_length must be at least 1, got {self.max_length}.")

    def allowed(self, length: int, most: int | None, why: str, name: str, kept: str) -> int | None:
        """To how many tokens inputs of `length` have to be cut; None if they need not.

        Args:
          length: tokens of a record's inputs.
          most: tokens that the model can read; None for any number.
          why: it cannot read more.
          name: of the record.
          kept: "first" or "last".

        Raises:
          UserError: if they are too long and are not to be cut.
        """
        limits = [(most, why), (self.max_length, f"max_input_length is {self.max_length}")]
        given = [(limit, reason) for limit, reason in limits if limit is not None]
        limit, reason = min(given, default=(None, ""))
        if limit is None or length <= limit:
            return None
        if not self.truncate:
            raise UserError(
                f"{name} has inputs of {length} tokens, but {reason}. Shorten them, or cut what is "
                f"too long with --truncate (truncate=True), which keeps the {kept} {limit}."
            )
        return limit


class TextReader(Reader):
    """Text to text: inputs, and possibly how the output begins.

    A decoder without an encoder reads the inputs as a task's if there is a feature for them, else
    as a text to go on from, without an end of sequence. An imported one reads what its tokenizer
    makes of the text and no start token, unless that is nothing at all.
    """

    def __init__(
        self,
        model: ModelConfig,
        features: Mapping[str, Feature],
        max_length: int,
        limit: InputLimit = InputLimit(),
    ):
        """Makes a reader.

        Args:
          model: that generates.
          features: "targets", and "inputs" unless the model is a language model.
          max_length: tokens that are generated, at most.
          limit: of the inputs.

        Raises:
          UserError: if the model does not generate, or not so many tokens.
        """
        self._model, self._limit = check_generates(model), limit
        self.vocabulary, self.eos_id = features["targets"].vocabulary, model.tokens.eos
        self._prompt_limit = prompt_limit(self._model, max_length)
        self._max_length = max_length
        self._encodes = isinstance(model, EncoderDecoder)
        self._continues = not self._encodes and "inputs" not in features
        self._inputs, targets = inputs_feature(features), features["targets"]
        self._is_framed = not self._encodes and isinstance(targets, FramedFeature)
        self._unspoken = targets.unspoken if isinstance(targets, FramedFeature) else ()
        self._around = around(self._inputs)
        self._before_prefix = around(targets)[0] if self._encodes else NOTHING
        self._added = sum(map(len, self._around)) if self._is_framed else 1

    def read(self, record: Record, name: str) -> Draft:
        prefix = self.vocabulary.encode_array(text_of(record, "prefix", name))
        if len(prefix):
            prefix = np.concatenate([self._before_prefix, prefix])
        self._check_prefix(prefix, name)
        text = text_of(record, "inputs", name)
        if self._encodes:
            inputs = self._encoder_inputs(text, name)
        else:
            inputs = self._decoder_inputs(text, len(prefix), name)
        before, first = NOTHING, None
        if self._continues:
            inputs, before = NOTHING, inputs
        read = np.concatenate([before, prefix])
        if self._is_framed and len(read):
            first, read = int(read[0]), read[1:]
        prompt = make_prompt(self._model, inputs, read, first)
        return Draft(prompt, lambda tokens: Output(self._said(before, prefix, tokens)))

    def _encoder_inputs(self, text: str, name: str) -> np.ndarray:
        feature, most = self._inputs, encoder_limit(self._model)
        tokens = feature.vocabulary.encode_array(text)
        length = len(tokens) + sum(map(len, self._around))
        why = f"the encoder has {most} positions"
        limit = self._limit.allowed(length, most, why, name, "first")
        return append_eos_after_trim(tokens, feature, limit)

    def _decoder_inputs(self, text: str, prefix: int, name: str) -> np.ndarray:
        tokens, (before, after) = self._inputs.vocabulary.encode_array(text), self._around
        if not self._is_framed:  # what stands behind may be cut, too
            tokens, after = np.concatenate([tokens, after]), NOTHING
        most, why = None, ""
        if self._prompt_limit is not None:
            most = max(self._prompt_limit - self._added - prefix, 0)
            total = self._prompt_limit + self._max_length - 1
            special = f"{self._added} special tokens" if self._is_framed else "the start token"
            why = (
                f"the decoder has {total} positions, and {special}, {self._max_length} new "
                f"tokens and {prefix} of the prefix leave room for {most}"
            )
        limit = self._limit.allowed(len(tokens), most, why, name, "last")
        kept = tokens if limit is None else tokens[len(tokens) - limit :]
        return np.concatenate([before, kept, after])

    def _check_prefix(self, prefix: np.ndarray, name: str) -> None:
        if self._prompt_limit is not None and self._added + len(prefix) > self._prompt_limit:
            raise UserError(
                f"{name} has a prefix of {len(prefix)} tokens, but the decoder has positions for "
                f"{self._prompt_limit - self._added} before {self._max_length} new tokens. Shorten "
                f"it, or generate less (--max_decode_length)."
            )

    def _said(self, before: np.ndarray, prefix: np.ndarray, tokens: np.ndarray) -> str:
        """The text of prefix and new tokens; after a text, what was added to it."""
        said = np.concatenate([prefix, tokens])
        said = said[~np.isin(said, self._unspoken)]
        return text_after(self.vocabulary, before, said)


def text_after(vocabulary: Vocabulary, before: np.ndarray, said: np.ndarray) -> str:
    """The text that int `[length]` tokens add to those before them."""
    ends = np.flatnonzero(before == vocabulary.eos_id)  # where `decode` would stop
    before = before[ends[-1] + 1 :] if len(ends) else before
    if not len(before):
        return vocabulary.decode(said)
    # A word's piece alone would lose the white space in front of it.
    given, whole = vocabulary.decode(before), vocabulary.decode(np.concatenate([before, said]))
    return whole[len(given) :] if whole.startswith(given) else vocabulary.decode(said)


def until_end(tokens: np.ndarray, *stops: int | None) -> np.ndarray:
    """Generated int `[length]` tokens before the first of `stops`, if there is one."""
    ends = np.flatnonzero(np.isin(tokens, [stop for stop in stops if stop is not None]))
    return tokens[: ends[0]] if len(ends) else tokens


def check_no_prefix(record: Record, name: str, why: str) -> None:
    """Raises UserError if a record has a prefix, where `why` tells that nothing begins with it."""
    if record.get("prefix"):
        raise UserError(f"{name} has a prefix, but {why}; remove it.")


def text_of(record: Record, field: str, name: str) -> str:
    """A field of a record, "" for no prefix; raises UserError if it is no string."""
    text = record.get(field, "" if field == "prefix" else None)
    if not isinstance(text, str):
        raise UserError(f"{name} has no string '{field}': it is {text!r}.")
    return text
