"""Texts to be scored, as tokens."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from t2t.data.features import (
    Feature,
    FramedFeature,
    append_eos_after_trim,
    around,
    inputs_feature,
)
from t2t.decoding.blank_filling import BlankReader
from t2t.decoding.prompts import NOTHING
from t2t.decoding.scoring_records import ScoringRecord
from t2t.errors import UserError


class Alternatives(NamedTuple):
    """Tokens of inputs, int32 `[length]`, and of each text that may follow.

    `first` is what a decoder alone reads in front of them, if it is not the model's start token.
    """

    inputs: np.ndarray
    targets: Sequence[np.ndarray]
    first: int | None = None


class TextPairs:
    """Inputs and targets as their features say.

    What an imported tokenizer puts around a text goes around the two together, if a decoder alone
    reads them.
    """

    def __init__(self, features: Mapping[str, Feature], *, needs_inputs: bool):
        targets, self._is_framed = features["targets"], False
        self._inputs, self._targets = inputs_feature(features), targets
        if isinstance(targets, FramedFeature) and "inputs" not in features:
            self._is_framed = True
            self._inputs = dataclasses.replace(targets, after=())
            self._targets = dataclasses.replace(targets, before=())
        self._needs_inputs = needs_inputs
        self.vocabulary = self._targets.vocabulary

    def __call__(self, record: ScoringRecord) -> Alternatives:
        """Raises UserError if inputs are needed and there are none."""
        inputs, first = around(self._inputs)[0] if self._is_framed else NOTHING, None
        if record.inputs is not None:
            inputs = _encoded(self._inputs, record.inputs)
        elif self._needs_inputs:
            raise UserError(f"{record.where} has no 'inputs', which this model's encoder reads.")
        if self._is_framed and len(inputs):
            first, inputs = int(inputs[0]), inputs[1:]
        targets = [_encoded(self._targets, text) for text in record.targets]
        return Alternatives(inputs, targets, first)


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
