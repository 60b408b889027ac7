"""Where the tokens of several examples lie in the rows of a batch."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

_NONE = np.zeros(0, np.int32)


@dataclasses.dataclass(frozen=True, eq=False)
class RowLayout:
    """Examples one after the other from column 0, in some rows of equal width.

    "Flat" values below are int `[tokens]`, one for each token of all examples in order.

    Attributes:
      lengths: int64 `[examples]`, tokens of each example.
      counts: int64 `[rows]`, examples of each row.
      width: columns; what does not fit into a row is cut.
    """

    lengths: np.ndarray
    counts: np.ndarray
    width: int

    @functools.cached_property
    def used(self) -> np.ndarray:
        """Int64 `[rows]` tokens of each row, before anything is cut."""
        ends = np.concatenate([[0], np.cumsum(self.lengths)])
        last = np.cumsum(self.counts)
        return ends[last] - ends[last - self.counts]

    @functools.cached_property
    def flat_positions(self) -> np.ndarray:
        """From 0 in every example."""
        begins = np.cumsum(self.lengths) - self.lengths
        total = int(self.lengths.sum())
        return np.arange(total, dtype=np.int32) - self.per_token(begins)

    @functools.cached_property
    def segments(self) -> np.ndarray:
        """Int32 `[examples]`, from 1 in every row."""
        first = np.cumsum(self.counts) - self.counts
        numbers = np.arange(1, len(self.lengths) + 1, dtype=np.int32)
        return numbers - np.repeat(first.astype(np.int32), self.counts)

    def per_token(self, values: np.ndarray) -> np.ndarray:
        """Flat int32 values from `[examples]` values."""
        return np.repeat(values.astype(np.int32), self.lengths)

    def place(self, flat: np.ndarray, fill: int = 0) -> np.ndarray:
        """Int32 `[rows, width]` from flat values; `fill` elsewhere."""
        placed = np.full(self._occupied.shape, fill, np.int32)
        placed[self._occupied] = flat if self._kept is None else flat[self._kept]
        return placed

    @functools.cached_property
    def _occupied(self) -> np.ndarray:
        return np.arange(self.width) < self.used[:, None]

    @functools.cached_property
    def _kept(self) -> np.ndarray | None:
        if (self.used <= self.width).all():
            return None
        begins = np.cumsum(self.used) - self.used
        return np.arange(self.used.sum()) - np.repeat(begins, self.used) < self.width


def sizes_of(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Int64 `[arrays]` lengths of rank-1 arrays."""
    return np.fromiter(map(len, arrays), np.int64, len(arrays))


def concatenate(arrays: Sequence[Any]) -> np.ndarray:
    """Int32 values of int32 (or narrower) arrays of rank 1, in order."""
    return np.concatenate([*arrays, _NONE])


def flatten(rows: Sequence[Sequence[Any]]) -> tuple[list[Any], np.ndarray]:
    """All examples in order, and int64 `[rows]` how many each row has."""
    return [example for row in rows for example in row], sizes_of(rows)  # type: ignore[arg-type]
