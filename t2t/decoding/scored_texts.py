"""Texts to be scored, as tokens."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from t2t.data.features import Feature, append_eos_after_trim, inputs_feature
from t2t.decoding.blank_filling import BlankReader
from t2t.decoding.scoring_records import ScoringRecord
from t2t.errors import UserError


class Alternatives(NamedTuple):
    """Tokens of inputs, int32 `[length]`, and of each text that may follow."""

    inputs: np.ndarray
    targets: Sequence[np.ndarray]


class TextPairs:
    """Inputs and targets as their features say."""

    def __init__(self, features: Mapping[str, Feature], *, needs_inputs: bool):
        self._inputs, self._targets = inputs_feature(features), features["targets"]
        self._needs_inputs = needs_inputs
        self.vocabulary = self._targets.vocabulary

    def __call__(self, record: ScoringRecord) -> Alternatives:
        """Raises UserError if inputs are needed and there are none."""
        inputs = np.zeros(0, np.int32)
        if record.inputs is not None:
            inputs = _encoded(self._inputs, record.inputs)
        elif self._needs_inputs:
            raise UserError(f"{record.where} has no 'inputs', which this model's encoder reads.")
        return Alternatives(inputs, [_encoded(self._targets, text) for text in record.targets])


class FilledBlanks:
    """Inputs with one blank, and targets that fill it, each with its end (GLM)."""

    def __init__(self, reader: BlankReader):
        self._reader = reader
        self.vocabulary = reader.vocabulary

    def __call__(self, record: ScoringRecord) -> Alternatives:
        """Inputs without a blank get one at their end; raises UserError unless there is one."""
        inputs = self._reader.tokens(record.inputs or "")
        blanks = np.isin(inputs, list(self._reader.masks)).sum()
        if blanks != 1:
            raise UserError(
                f"{record.where}: the inputs have {blanks} blanks, but a text to score fills one."
            )
        end = np.array([self._reader.eos_id], np.int32)
        encode = self.vocabulary.encode_array
        return Alternatives(inputs, [np.concatenate([encode(t), end]) for t in record.targets])


def _encoded(feature: Feature, text: str) -> np.ndarray:
    return append_eos_after_trim(feature.vocabulary.encode_array(text), feature, None)
