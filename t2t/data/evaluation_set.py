"""A fixed, finite set of examples of one task's split, in order, in equal batches."""

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np

from t2t.data import randomness
from t2t.data.converters import Batch, EncDecFeatureConverter
from t2t.data.features import SequenceLength
from t2t.data.sources import Example
from t2t.data.tasks import Rows, Task
from t2t.errors import UserError


@dataclasses.dataclass(frozen=True)
class EvaluationSet:
    """Up to `num_examples` rows, evenly spread over the split; the same ones on every call.

    Attributes:
      task: what to read.
      split: which split of it.
      sequence_length: tokens per row of "inputs" and "targets"; longer texts are cut.
      num_examples: at most this many rows; None for all.
      seed: of the objective's randomness.
    """

    task: Task
    split: str
    sequence_length: SequenceLength
    num_examples: int | None = None
    seed: int = 0

    def __post_init__(self):
        if self.num_examples is not None and self.num_examples < 1:
            raise UserError(f"num_examples must be 1 or more, got {self.num_examples}.")

    @functools.cached_property
    def rows(self) -> Rows:
        """All rows of the split."""
        return self.task.rows(self.split, self.sequence_length)

    @functools.cached_property
    def indices(self) -> np.ndarray:
        """Which rows belong to the set."""
        size = min(len(self.rows), self.num_examples or len(self.rows))
        return np.linspace(0, len(self.rows) - 1, size).round().astype(int)

    def keys(self, indices: np.ndarray) -> np.ndarray:
        """uint64 keys of rows."""
        return np.array([randomness.fold(self.seed, self.task.name, i) for i in indices], np.uint64)

    def texts(self) -> list[Example]:
        """The preprocessed strings of each example; only without an objective."""
        keys = self.keys(self.indices)
        return [self.rows.text(i, int(k)) for i, k in zip(self.indices, keys, strict=True)]

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """Unpacked batches; the last is filled up with rows of zero weight."""
        converter = EncDecFeatureConverter(pack=False)
        for start in range(0, len(self.indices), batch_size):
            members = self.indices[start : start + batch_size]
            examples = self.rows.tokens(members, self.keys(members))
            batch = converter(examples, self.sequence_length)
            missing = batch_size - len(members)
            yield {name: np.pad(x, ((0, missing), (0, 0))) for name, x in batch.items()}
