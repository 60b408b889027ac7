"""Rows with a tag per word."""

import dataclasses
import itertools
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from t2t.data.features import Feature
from t2t.data.heads.base import HeadRows, Reading, Row, labels_of, log_softmax
from t2t.data.heads.words import encode_words, spaced_words
from t2t.data.preprocessors.apply import short
from t2t.data.sources import Example
from t2t.data.vocabularies.labels import LabelVocabulary
from t2t.errors import UserError

UNREAD = "_"
"""In place of a predicted tag for a word that a row had no room for."""


@dataclasses.dataclass(frozen=True)
class TagRows(HeadRows):
    """[CLS] words [SEP]; the first token of a word carries its tag (BERT, section 5.3).

    Words that do not fit, with all of their tokens, are left out together with what follows.
    "word_starts" of a row are the columns of first tokens.

    Attributes:
      tags: the labels; "targets" are as many as "inputs" has words between white space.
    """

    tags: LabelVocabulary

    made: ClassVar[tuple[str, ...]] = (*HeadRows.made, "word_starts")

    @classmethod
    def check(cls, features: Mapping[str, Feature]) -> None:
        super().check(features)
        labels = labels_of(features).labels
        if "pair" in features:
            raise UserError("it has a feature 'pair', but only words of 'inputs' have tags.")
        if spaced := [label for label in labels if label.split() != [label]]:
            raise UserError(f"the tag {spaced[0]!r} has a space in it; tags are separated by them.")

    def row(self, example: Example, length: int) -> dict[str, np.ndarray]:
        (text,) = self.texts(example)
        words = encode_words(self.vocabulary, text, spaced_words(text))
        ends = np.array(list(itertools.accumulate(map(len, words), initial=0)), np.int32)
        kept = int(np.searchsorted(ends[1:], self.framing.room(length, 1), side="right"))
        flat = np.concatenate([*words[:kept], np.zeros(0, np.int32)])
        tokens, types = self.framing.join(flat)
        starts = ends[:kept] + (self.framing.first is not None)
        return {"inputs": tokens, "token_types": types, "word_starts": starts.astype(np.int32)}

    def labels(self, row: Row, example: Example, targets: str) -> tuple[np.ndarray, np.ndarray]:
        words, tags = example["inputs"].split(), targets.split()
        if len(words) != len(tags):
            raise UserError(
                f"there are {len(words)} words in 'inputs' and {len(tags)} tags in 'targets': "
                f"{short(example['inputs'], 80)} and {short(targets, 80)}."
            )
        ids = np.array([self.tags.label_id(tag) for tag in tags], np.int32)
        starts = row["word_starts"]
        labels, weights = np.zeros((2, len(row["inputs"])), np.int32)
        labels[starts], weights[starts] = ids[: len(starts)], 1
        return labels, weights

    def read(self, row: Row, example: Example, outputs: np.ndarray) -> Reading:
        """A tag per word; `UNREAD` for each that had no room."""
        scores = log_softmax(outputs[row["word_starts"]])
        found = [self.tags.labels[i] for i in np.argmax(scores, axis=-1).tolist()]
        unread = [UNREAD] * (len(example["inputs"].split()) - len(found))
        return Reading(" ".join(found + unread), float(scores.max(axis=-1).sum()))
