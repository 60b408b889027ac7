"""Rows with one class: a single text, or a pair."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from t2t.data.features import Feature
from t2t.data.heads.base import HeadRows, Reading, Row, labels_of, log_softmax
from t2t.data.heads.framing import longest_first
from t2t.data.sources import Example
from t2t.data.vocabularies.labels import LabelVocabulary
from t2t.errors import UserError


@dataclasses.dataclass(frozen=True)
class ClassRows(HeadRows):
    """[CLS] inputs [SEP], whose targets are one label.

    Attributes:
      classes: the labels.
    """

    classes: LabelVocabulary

    @classmethod
    def check(cls, features: Mapping[str, Feature]) -> None:
        super().check(features)
        labels_of(features)

    def row(self, example: Example, length: int) -> dict[str, np.ndarray]:
        (text,) = self.texts(example)
        room = self.framing.room(length, 1)
        tokens, types = self.framing.join(self.vocabulary.encode_array(text)[:room])
        return {"inputs": tokens, "token_types": types}

    def labels(self, row: Row, example: Example, targets: str) -> tuple[np.ndarray, np.ndarray]:
        labels = self.classes.encode(targets)
        if len(labels) != 1:
            raise UserError(f"'targets' must be one of the labels {self.classes.listed}.")
        return np.array(labels, np.int32), np.ones(1, np.int32)

    def read(self, row: Row, example: Example, outputs: np.ndarray) -> Reading:
        best = int(np.argmax(outputs))
        return Reading(self.classes.labels[best], float(log_softmax(outputs)[best]))


@dataclasses.dataclass(frozen=True)
class PairClassRows(ClassRows):
    """[CLS] inputs [SEP] pair [SEP]; the longer text is cut first."""

    text_features: ClassVar[tuple[str, ...]] = ("inputs", "pair")

    def row(self, example: Example, length: int) -> dict[str, np.ndarray]:
        first, second = map(self.vocabulary.encode_array, self.texts(example))
        room = self.framing.room(length, 2)
        sizes = longest_first(len(first), len(second), room)
        tokens, types = self.framing.join(first[: sizes[0]], second[: sizes[1]])
        return {"inputs": tokens, "token_types": types}
