"""What all that reads records shares: windows of them, batches of like length, and a clock."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import jax

from t2t.decoding.compiled import Compiled
from t2t.decoding.length_buckets import Bucket, buckets, windows
from t2t.decoding.prediction import Asked, Numbered, Throughput
from t2t.errors import UserError
from t2t.models.definition import Params

Item = TypeVar("Item")
Result = TypeVar("Result")


def numbered(records: Iterable[Asked]) -> Iterator[Numbered]:
    """Yields each record; a string is its inputs. What has a number already keeps it."""
    for number, record in enumerate(records):
        if isinstance(record, Numbered):
            yield record
        else:
            yield Numbered(number, {"inputs": record} if isinstance(record, str) else record)


class Batcher:
    """Works on a stream a window at a time, on a window in batches of like length.

    Attributes:
      batch_size: rows of a batch, at most.
      throughput: of all that was worked on; who works counts the tokens.
    """

    def __init__(self, batch_size: int, tokens: str = "generated"):
        """Makes a batcher.

        Args:
          batch_size: rows of a batch, at most.
          tokens: what is done to those that are counted; see `Throughput.verb`.

        Raises:
          UserError: batch_size is below 1.
        """
        if batch_size < 1:
            raise UserError(f"batch_size must be at least 1, got {batch_size}.")
        self.batch_size, self.throughput = batch_size, Throughput(verb=tokens)

    def compiled(self, function: Callable[..., Any], params: Params) -> Compiled:
        """`function(params, *arrays)`, whose compilations are counted."""
        return Compiled(function, params, self.throughput)

    def by_window(
        self, items: Iterable[Item], work: Callable[[list[Item]], Iterable[Result]]
    ) -> Iterator[Result]:
        """Yields the result for each item, in order, reading no further ahead than a window.

        What counts is the time of `work`, without compilation.

        Raises:
          UserError: the device has not enough memory.
        """
        for window in windows(items, self.batch_size):
            started, compiling = time.perf_counter(), self.throughput.compile_seconds
            try:
                results = work(window)
            except jax.errors.JaxRuntimeError as error:
                if "RESOURCE_EXHAUSTED" not in str(error):
                    raise
                raise UserError(
                    f"Out of memory with batches of {self.batch_size}: lower --batch_size "
                    f"(batch_size), or numbers of beams and samples, or lengths."
                ) from error
            compiled = self.throughput.compile_seconds - compiling
            self.throughput.seconds += time.perf_counter() - started - compiled
            self.throughput.records += len(window)
            yield from results

    def by_length(
        self, lengths: Sequence[int], most: int | None, start: Callable[[Bucket], Any]
    ) -> list[Any]:
        """The row for each of `lengths`, in order; `start` begins to compute those of a bucket.

        Args:
          lengths: of what there shall be rows for.
          most: as for `buckets`.
          start: gives a tree of arrays `[rows, ...]`.
        """
        given = buckets(lengths, self.batch_size, most)
        return in_order([(bucket.members, start(bucket)) for bucket in given], len(lengths))


def in_order(started: Iterable[tuple[Sequence[int], Any]], count: int) -> list[Any]:
    """Rows of batches, waited for, at the `count` places that they are for.

    Args:
      started: places, and a tree of arrays `[rows, ...]`; rows beyond the places do not count. It
        is a list of what has begun already, for to wait for one batch must not hold up another.
      count: of places.
    """
    found: list[Any] = [None] * count
    for places, outputs in started:
        arrays = jax.device_get(outputs)
        for row, place in enumerate(places):
            found[place] = jax.tree.map(lambda array, row=row: array[row], arrays)
    return found
