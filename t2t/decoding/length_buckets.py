"""Batches of few shapes, whatever the lengths of what is in them."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

Item = TypeVar("Item")


class Bucket(NamedTuple):
    """One batch.

    Attributes:
      members: places in the sequence that was given; each has a row, in this order.
      rows: of the batch; those beyond `members` are empty.
      length: of a row.
    """

    members: list[int]
    rows: int
    length: int


def length_class(length: int, least: int = 16, most: int | None = None) -> int:
    """The smallest power of two that is neither below `length` nor below `least`.

    Not above `most`, where that is given: the number of positions that a model has.
    """
    power = max(least, 1 << (max(length, 1) - 1).bit_length())
    return power if most is None else min(power, max(most, length))


def buckets(
    lengths: Sequence[int], batch_size: int, most: int | None = None, least_rows: int = 1
) -> Iterator[Bucket]:
    """Batches of neighbours in length, the shortest first.

    All have `batch_size` rows, unless one batch is enough: then a power of two, or `least_rows`. So
    there is one shape per length class, but for calls with little in them.
    """
    order = sorted(range(len(lengths)), key=lambda i: lengths[i])
    one = len(order) <= batch_size
    rows = min(length_class(len(order), least=least_rows), batch_size) if one else batch_size
    for start in range(0, len(order), batch_size):
        members = order[start : start + batch_size]
        yield Bucket(members, rows, length_class(lengths[members[-1]], most=most))


def padded(
    sequences: Sequence[np.ndarray], bucket: Bucket, fill: int, *, in_front: bool = False
) -> np.ndarray:
    """Int32 `[rows, length]` of a bucket's members; `fill` stands behind them, or in front."""
    batch = np.full((bucket.rows, bucket.length), fill, np.int32)
    for row, i in zip(batch, bucket.members, strict=False):
        size = len(sequences[i])
        place = slice(bucket.length - size, None) if in_front else slice(size)
        row[place] = sequences[i]
    return batch


def sizes_of(sequences: Sequence[np.ndarray], bucket: Bucket) -> np.ndarray:
    """Int32 `[rows]`, how long a bucket's members are; 0 in empty rows."""
    sizes = np.zeros(bucket.rows, np.int32)
    sizes[: len(bucket.members)] = [len(sequences[i]) for i in bucket.members]
    return sizes


def windows(items: Iterable[Item], batch_size: int) -> Iterator[list[Item]]:
    """Lists of as many items as are worth sorting by length; reads no further ahead."""
    iterator = iter(items)
    while window := list(itertools.islice(iterator, window_size(batch_size))):
        yield window


def window_size(batch_size: int) -> int:
    """How many items are worth sorting by length."""
    return 8 * max(batch_size, 1)
