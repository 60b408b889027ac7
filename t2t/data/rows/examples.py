"""Rows of tasks without an objective: raw or cached examples, and what becomes of them."""

import itertools
from collections.abc import Sequence

import numpy as np

from t2t.data import randomness
from t2t.data.converters import TokenExample
from t2t.data.features import SequenceLength
from t2t.data.postcache import Finish
from t2t.data.preprocessors import Chain
from t2t.data.rows.base import Rows, Unit, read
from t2t.data.sources import Example
from t2t.data.tasks import Task
from t2t.data.tokenization import TokenDict, encode


class ExampleRows(Rows):
    """Raw examples through the whole chain of preprocessors."""

    def __init__(self, task: Task, sequence_length: SequenceLength, raw: Sequence[Example | None]):
        super().__init__(task, sequence_length)
        self._raw = raw
        self._chain, self._finish = (
            Chain(task.precache_preprocessors),
            Finish(task, sequence_length),
        )

    def __len__(self) -> int:
        return len(self._raw)

    def texts(self, indices: Sequence[int], keys: np.ndarray) -> list[list[Example]]:
        """What each unit of each row is made of: the example before tokenisation."""
        return [[text for text, _ in row] for row in self.made(indices, keys)]

    def units(self, indices: Sequence[int], keys: np.ndarray) -> list[list[Unit]]:
        return [[unit for _, unit in row] for row in self.made(indices, keys)]

    def made(self, indices: Sequence[int], keys: np.ndarray) -> list[list[tuple[Example, Unit]]]:
        """The units of each row, each with the example before tokenisation that it is made of."""
        groups = self.task.preprocess_batch(
            read(self.task, self._raw, indices),
            indices,
            keys.tolist(),
            self.sequence_length,
            self._chain,
            self._raw,
        )
        texts = [text for group in groups for text in group]
        with self.task.named_errors():
            tokens = encode(texts, self.task.output_features)
        sizes = np.fromiter(map(len, groups), int)
        nth = np.arange(len(texts)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        later_keys = _later_keys(np.repeat(keys, sizes), nth)
        finished = self._finish(tokens, np.repeat(indices, sizes).tolist(), later_keys)
        pairs = iter(zip(texts, finished, strict=True))
        return [
            [(text, unit) for text, units in itertools.islice(pairs, size) for unit in units]
            for size in sizes.tolist()
        ]

    def examples(self, units: Sequence[Unit], keys: np.ndarray) -> list[TokenExample]:
        return list(units)


def _later_keys(keys: np.ndarray, nth: np.ndarray) -> list[int]:
    """Of what comes after the cache placeholder, for the nth examples of rows: each draws anew."""
    return randomness.fold_array(keys, nth).tolist()


class CachedRows(Rows):
    """Examples that were tokenised before; only what follows the cache placeholder runs."""

    def __init__(self, task: Task, sequence_length: SequenceLength, cached: Sequence[TokenDict]):
        super().__init__(task, sequence_length)
        self._cached, self._finish = cached, Finish(task, sequence_length)

    def __len__(self) -> int:
        return len(self._cached)

    def units(self, indices: Sequence[int], keys: np.ndarray) -> list[list[Unit]]:
        cached = [self._cached[index] for index in indices]
        return self._finish(cached, indices, _later_keys(keys, np.zeros(len(keys), int)))

    def examples(self, units: Sequence[Unit], keys: np.ndarray) -> list[TokenExample]:
        return list(units)
