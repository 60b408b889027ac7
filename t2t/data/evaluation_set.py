"""A fixed, finite set of examples of one task's split, in order, in equal batches."""

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from t2t.data import randomness
from t2t.data.converters import (
    Batch,
    EncDecFeatureConverter,
    FeatureConverter,
    TokenExample,
)
from t2t.data.features import SequenceLength
from t2t.data.rows import ExampleRows, Rows, Unit, open_rows
from t2t.data.share import Share
from t2t.data.sources import Example
from t2t.data.tasks import Task
from t2t.errors import UserError

_CHUNK = 64

_Made = tuple[Example | None, Unit]
"""A unit, and the example before tokenisation that it is made of, without an objective."""


@dataclasses.dataclass(frozen=True)
class EvaluationSet:
    """Up to `num_examples` rows, evenly spread over the split; the same ones on every call.

    Attributes:
      task: what to read.
      split: which split of it.
      sequence_length: tokens per row of "inputs" and "targets"; longer texts are cut.
      num_examples: at most this many rows; None for all.
      seed: of the objective's randomness.
      converter: what to make of the examples.
      share: which of the rows are read here; `examples`, `texts` and `batches` are of these.
    """

    task: Task
    split: str
    sequence_length: SequenceLength
    num_examples: int | None = None
    seed: int = 0
    converter: FeatureConverter = EncDecFeatureConverter(pack=False)  # noqa: RUF009 (frozen)
    share: Share = Share()  # noqa: RUF009

    def __post_init__(self):
        if self.num_examples is not None and self.num_examples < 1:
            raise UserError(f"num_examples must be 1 or more, got {self.num_examples}.")
        if self.converter.pack:
            raise UserError("During evaluation, packing can't be used.")

    @functools.cached_property
    def rows(self) -> Rows:
        """All rows of the split; those of a supervised task never from a cache, without texts."""
        use_cached = self.task.objective is not None
        return open_rows(self.task, self.split, self.sequence_length, use_cached)

    @functools.cached_property
    def indices(self) -> np.ndarray:
        """Rows to take examples from, ascending; where rows hold several, not all are needed."""
        size = min(len(self.rows), self.num_examples or len(self.rows))
        return np.linspace(0, len(self.rows) - 1, size).round().astype(int)

    def texts(self) -> list[Example]:
        """The preprocessed strings of each example; only without an objective."""
        return [
            text for pairs in self._drawn.made.values() for text, _ in pairs if text is not None
        ]

    @functools.cached_property
    def examples(self) -> list[TokenExample]:
        """The token arrays of each example; those of one row stay together."""
        made = self._drawn.made.items()
        return self._examples({row: [unit for _, unit in pairs] for row, pairs in made})

    @functools.cached_property
    def row_numbers(self) -> list[int]:
        """The row that each example of all shares is of."""
        return [row for row, size in self._drawn.sizes.items() for _ in range(size)]

    @functools.cached_property
    def template(self) -> TokenExample:
        """An example, for its shapes; another share's if this one has none."""
        if self.examples:
            return self.examples[0]
        row = next(row for row, size in self._drawn.sizes.items() if size)
        return self._examples({row: self.rows.units([row], self._keys([row]))[0]})[0]

    @functools.cached_property
    def numbers(self) -> list[np.ndarray]:
        """For each share, the numbers of its examples among those of all; on every host."""
        sizes = np.array(list(self._drawn.sizes.values()), int)
        owners = np.repeat(np.array(list(self._drawn.owners.values()), int), sizes)
        return [np.nonzero(owners == index)[0] for index in range(self.share.count)]

    def __len__(self) -> int:
        """Examples of all shares."""
        return sum(self._drawn.sizes.values())

    def _examples(self, groups: Mapping[int, Sequence[Unit]]) -> list[TokenExample]:
        if not groups:
            return []
        row_keys, sizes = self._keys(list(groups)), list(map(len, groups.values()))
        nth = np.concatenate([np.arange(size) for size in sizes])
        units = list(itertools.chain.from_iterable(groups.values()))
        return self.rows.examples(units, randomness.fold_array(np.repeat(row_keys, sizes), nth))

    @functools.cached_property
    def _drawn(self) -> "_Drawn":
        """As many rows as hold `num_examples`."""
        indices, wanted, count = self.indices, self.num_examples or math.inf, 0
        if self.num_examples:  # however few rows it will take, they are from everywhere
            indices = indices[np.argsort(randomness.fold_array(0, np.arange(len(indices))))]
        chunk = _CHUNK * self.share.count if self.num_examples else max(len(indices), 1)
        made: dict[int, list[_Made]] = {}
        sizes: dict[int, int] = {}
        owners: dict[int, int] = {}
        for start in range(0, len(indices), chunk):
            rows = indices[start : start + chunk]
            own = self._read(rows[self.share.index :: self.share.count].tolist())
            # Of each share the examples of its rows, 0 behind the last where it has fewer.
            held = np.zeros(-(-len(rows) // self.share.count), int)
            held[: len(own)] = [len(group) for group in own.values()]
            by_place = self.share.gather(held).T.ravel()
            for place, row in enumerate(rows.tolist()):
                if count < wanted:
                    sizes[row], owners[row] = int(by_place[place]), place % self.share.count
                    count += sizes[row]
                    if row in own:
                        made[row] = own[row]
            if count >= wanted:
                break
        in_order = sorted(sizes)
        return _Drawn(
            {row: made[row] for row in in_order if row in made},
            {row: sizes[row] for row in in_order},
            {row: owners[row] for row in in_order},
        )

    def _read(self, rows: list[int]) -> dict[int, list[_Made]]:
        found: dict[int, list[_Made]] = {}
        for start in range(0, len(rows), _CHUNK):
            some = rows[start : start + _CHUNK]
            keys = self._keys(some)
            made: Sequence[Sequence[_Made]]
            if isinstance(self.rows, ExampleRows):
                made = self.rows.made(some, keys)
            else:
                made = [[(None, unit) for unit in row] for row in self.rows.units(some, keys)]
            found |= zip(some, map(list, made), strict=True)
        return found

    def _keys(self, rows: Sequence[int]) -> np.ndarray:
        return randomness.fold_array(randomness.fold(self.seed, self.task.name), np.array(rows))

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """Unpacked batches; the last are filled up with rows of zero weight.

        Args:
          batch_size: rows over all shares, each of which gives equally many. There are as many
            batches on every host, as collective operations need.
        """
        rows = batch_size // self.share.count
        count = max(-(-len(numbers) // rows) for numbers in self.numbers)
        for start in range(0, count * rows, rows):
            members = self.examples[start : start + rows]
            batch = self.converter(members or [self.template], self.sequence_length)
            empty = rows - len(members)
            yield {
                name: np.pad(x[: len(members)], ((0, empty), (0, 0))) for name, x in batch.items()
            }


class _Drawn(NamedTuple):
    """Rows by number, ascending.

    Attributes:
      made: the units of the rows of this share.
      sizes: how many units each row has, of all shares.
      owners: the share that each row belongs to.
    """

    made: dict[int, list[_Made]]
    sizes: dict[int, int]
    owners: dict[int, int]
