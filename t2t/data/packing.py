"""Packing: several short examples in one row."""

from collections.abc import Iterable, Mapping

import numpy as np

from t2t.data.features import SequenceLength


class RowBuilder:
    """Collects examples for one row while they fit in every feature's length."""

    def __init__(self, lengths: SequenceLength):
        self._lengths = lengths
        self._used = dict.fromkeys(lengths, 0)
        self.examples: list[Mapping[str, np.ndarray]] = []

    def add(self, example: Mapping[str, np.ndarray]) -> bool:
        """Adds the example if it fits, and says whether; an empty row takes any example."""
        used = {name: self._used[name] + len(example[name]) for name in self._lengths}
        full = any(used[name] > self._lengths[name] for name in used)
        # Also bounded by number: examples without any token would fit for ever.
        if self.examples and (full or len(self.examples) >= min(self._lengths.values())):
            return False
        self._used = used
        self.examples.append(example)
        return True


def pack_next_fit(
    examples: Iterable[Mapping[str, np.ndarray]], lengths: SequenceLength
) -> list[list[Mapping[str, np.ndarray]]]:
    """Groups examples, in order, into rows that hold as many as fit."""
    rows: list[list[Mapping[str, np.ndarray]]] = []
    builder = RowBuilder(lengths)
    for example in examples:
        if not builder.add(example):
            rows.append(builder.examples)
            builder = RowBuilder(lengths)
            builder.add(example)
    return [*rows, builder.examples] if builder.examples else rows
