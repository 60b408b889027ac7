"""Examples held in memory: given, or made by a function."""

import functools
from collections.abc import Callable, Mapping, Sequence

from t2t.data.sources.base import DataSource, Example


class InMemoryDataSource(DataSource):
    """Examples given as lists: `InMemoryDataSource({"train": [{"inputs": ..., ...}]})`."""

    def __init__(self, examples: Mapping[str, Sequence[Example]]):
        self._by_split = dict(examples)

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(self._by_split)

    def _examples(self, split: str) -> Sequence[Example]:
        return self._by_split[split]


class FunctionDataSource(DataSource):
    """Examples made by `dataset_fn(split)`, called once per split, when first needed."""

    def __init__(self, dataset_fn: Callable[[str], Sequence[Example]], splits: Sequence[str]):
        self._dataset_fn = functools.lru_cache(maxsize=None)(dataset_fn)
        self._splits = tuple(splits)

    @property
    def splits(self) -> tuple[str, ...]:
        return self._splits

    def _examples(self, split: str) -> Sequence[Example]:
        return self._dataset_fn(split)
