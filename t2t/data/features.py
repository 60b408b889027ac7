"""What a task yields: named token sequences and the vocabulary each is written in."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from t2t.data.vocabularies import Vocabulary
from t2t.errors import UserError

SequenceLength = Mapping[str, int]
"""Maximum number of tokens per feature, the end of sequence included: {"inputs": 512, ...}."""


@dataclasses.dataclass(frozen=True)
class Feature:
    """One output feature of a task.

    Attributes:
      vocabulary: of its tokens.
      add_eos: whether sequences end with the vocabulary's eos_id.
      required: whether every example must have it after preprocessing.
      dtype: of its arrays, by NumPy name.
      rank: of its arrays.
    """

    vocabulary: Vocabulary
    add_eos: bool = True
    required: bool = True
    dtype: str = "int32"
    rank: int = 1

    def check_end(self) -> None:
        """Raises UserError if sequences should end with what the vocabulary lacks."""
        if self.add_eos and self.vocabulary.eos_id is None:
            raise UserError(
                f"{self.vocabulary} has no end of sequence; give the feature add_eos=False."
            )


@dataclasses.dataclass(frozen=True)
class FramedFeature(Feature):
    """Texts as an imported tokenizer gives them to its model: to read, not for tasks.

    A decoder alone reads them so from the first token on, without a start token.

    Attributes:
      before: ids in front of every text.
      after: ids behind it, the end of sequence among them, if there is one.
      unspoken: ids that outputs are told without, such as codes of languages.
    """

    add_eos: bool = False
    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    unspoken: tuple[int, ...] = ()


def around(feature: Feature) -> tuple[np.ndarray, np.ndarray]:
    """Int32 tokens before and after every sequence of a feature."""
    if isinstance(feature, FramedFeature):
        return np.array(feature.before, np.int32), np.array(feature.after, np.int32)
    feature.check_end()
    ends = [feature.vocabulary.eos_id] if feature.add_eos else []
    return np.zeros(0, np.int32), np.array(ends, np.int32)


def append_eos_after_trim(
    tokens: np.ndarray, feature: Feature, max_length: int | None
) -> np.ndarray:
    """Int32 `[length]` tokens with their end of sequence, if the feature has one.

    Cut to `max_length` unless that is None; the end of sequence, and all that else goes around a
    text, is included, and never cut.
    """
    before, after = around(feature)
    added = len(before) + len(after)
    if not added:
        return tokens[:max_length]
    kept = tokens if max_length is None else tokens[: max(max_length - added, 0)]
    return np.concatenate([before, kept, after])


def inputs_feature(features: Mapping[str, Feature]) -> Feature:
    """How inputs are read: where there are targets only, as their beginning, without an end."""
    return features.get("inputs") or dataclasses.replace(features["targets"], add_eos=False)
