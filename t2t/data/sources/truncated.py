"""The first examples of another source."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from t2t.data.sources.base import DataSource, Example
from t2t.data.sources.fingerprints import digest
from t2t.data.sources.records import place_of
from t2t.data.sources.skipped import SkippedRecords
from t2t.errors import UserError, did_you_mean


class TruncatedDataSource(DataSource):
    """Another source with at most so many examples per split.

    Args:
      child: the source.
      split_sizes: split -> number of examples; other splits stay whole.

    Raises:
      UserError: when first used, if the source has no such split.
    """

    def __init__(self, child: DataSource, split_sizes: Mapping[str, int]):
        for split, size in split_sizes.items():
            if size < 1:
                raise UserError(f"The size of split '{split}' must be 1 or more, got {size}.")
        self._child = child
        self._sizes = dict(split_sizes)

    @property
    def splits(self) -> tuple[str, ...]:
        there = self._child.splits
        for split in self._sizes:
            if split not in there:
                raise UserError(
                    f"split_sizes names the split '{split}', but the source has only "
                    f"{', '.join(map(repr, there))}.{did_you_mean(split, there)}"
                )
        return there

    @property
    def skipped(self) -> SkippedRecords:
        return self._child.skipped

    def files(self, split: str) -> tuple[Path, ...]:
        return self._child.files(split)

    def fingerprint(self, split: str) -> str:
        self._check(split)
        return digest("truncated", self._child.fingerprint(split), self._sizes.get(split))

    def _examples(self, split: str) -> Sequence[Example | None]:
        examples = self._child.examples(split)
        size = self._sizes.get(split, len(examples))
        return Selection(examples, range(min(size, len(examples))))


class Selection(Sequence[Any]):
    """Some items of another sequence, by their indices."""

    def __init__(self, items: Sequence[Any], indices: Sequence[int] | np.ndarray):
        self._items = items
        self._indices = indices

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._items[int(self._indices[index])]

    def place(self, index: int) -> str:
        """Where an item is, for messages; "" where that is unknown."""
        return place_of(self._items, int(self._indices[index]))
