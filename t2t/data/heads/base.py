"""What rows for a head are."""

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np

from t2t.data.features import Feature
from t2t.data.heads.framing import Framing
from t2t.data.sources import Example
from t2t.data.vocabularies import LabelVocabulary, Vocabulary
from t2t.errors import UserError

Row = Mapping[str, np.ndarray]
"""Int32 arrays by name: "inputs" `[tokens]`, "token_types" `[tokens]`, and others of its kind."""


class Reading(NamedTuple):
    """What a head says of a row, as text, and the logarithm of its probability."""

    text: str
    score: float


@dataclasses.dataclass(frozen=True)
class HeadRows(abc.ABC):
    """The last preprocessor of a task for a head: strings in, a row of tokens and its labels out.

    Attributes:
      vocabulary: of the texts.
      framing: special tokens around them.
      text_features: the strings that a row is made of: "inputs", or "inputs" and "pair".
      made: features of examples beside "inputs" and "targets".
    """

    vocabulary: Vocabulary
    framing: Framing

    text_features: ClassVar[tuple[str, ...]] = ("inputs",)
    made: ClassVar[tuple[str, ...]] = ("token_types", "labels", "loss_weights")

    @classmethod
    def check(cls, features: Mapping[str, Feature]) -> None:
        """Raises UserError if these features of a task are no such texts and labels."""
        for name in cls.text_features:
            if name not in features:
                raise UserError(
                    f"this head reads the feature '{name}', but there is only "
                    f"{', '.join(map(repr, features))}."
                )
        if "pair" in features and features["pair"].vocabulary != features["inputs"].vocabulary:
            raise UserError(
                f"'inputs' and 'pair' are in one row, but have different vocabularies: "
                f"{features['inputs'].vocabulary!r} and {features['pair'].vocabulary!r}."
            )

    def __call__(self, example: Example, sequence_length: Mapping[str, int]) -> dict[str, Any]:
        """The example with a row in place of its "inputs", which stay as "inputs_pretokenized".

        Raises:
          UserError: if a text is missing, or the targets are no labels of this kind.
        """
        if not isinstance(targets := example.get("targets"), str):
            raise UserError(f"labels are text, but 'targets' is {type(targets).__name__}.")
        row = self.row(example, sequence_length["inputs"])
        labels, weights = self.labels(row, example, targets)
        return {
            **example,
            **row,
            "labels": labels,
            "loss_weights": weights,
            "inputs_pretokenized": example["inputs"],
        }

    def texts(self, example: Example) -> list[str]:
        """The `text_features` of an example; raises UserError if one is missing."""
        for name in self.text_features:
            if not isinstance(example.get(name), str):
                raise UserError(
                    f"{type(self).__name__} are made of the text '{name}', but an example has only "
                    f"{', '.join(map(repr, example)) or 'nothing'}."
                    if name not in example
                    else f"'{name}' is {type(example[name]).__name__}; it must be text."
                )
        return [example[name] for name in self.text_features]

    @abc.abstractmethod
    def row(self, example: Example, length: int) -> dict[str, np.ndarray]:
        """The row of an example's texts, of `length` tokens at most."""

    @abc.abstractmethod
    def labels(self, row: Row, example: Example, targets: str) -> tuple[np.ndarray, np.ndarray]:
        """Int32 `[items]` labels and their loss weights, 0 or 1."""

    @abc.abstractmethod
    def read(self, row: Row, example: Example, outputs: np.ndarray) -> Reading:
        """The prediction.

        Args:
          row: of this example.
          example: its texts.
          outputs: float32 logits of the head: `[classes]`, or `[length, classes]` of a head of
            tokens; what stands behind the row's own tokens does not matter.
        """


def labels_of(features: Mapping[str, Feature]) -> LabelVocabulary:
    """The labels of a task; raises UserError if its targets are something else."""
    vocabulary = features["targets"].vocabulary
    if not isinstance(vocabulary, LabelVocabulary):
        raise UserError(
            f"a head is trained on labels, but the vocabulary of 'targets' is {vocabulary!r}. Give "
            f"it that of the labels: Feature(LabelVocabulary(('yes', 'no')), add_eos=False)."
        )
    return vocabulary


def log_softmax(logits: np.ndarray, axis: int = -1) -> np.ndarray:
    """Logarithms of probabilities, float64."""
    wide = logits.astype(np.float64)
    wide = wide - wide.max(axis=axis, keepdims=True)
    return wide - np.log(np.exp(wide).sum(axis=axis, keepdims=True))
