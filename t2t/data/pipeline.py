"""From tasks to batches: shuffle, repeat, mix, share out by host, pack, prefetch. Needs Grain.

Row r of every global batch reads its own stream: the examples r, r + B, r + 2B ... of the shuffled,
mixed order, B being the global batch size. Unpacked rows take one example a step; packed rows take
as many as fit and leave the next one for the next step. So a host builds its rows without knowing
those of the others, batches are the same on any number of hosts, and the position of the whole
pipeline is B integers, from which it goes on exactly.
"""

import collections
import concurrent.futures
import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterator, Sequence

import grain
import numpy as np

from t2t.data import randomness
from t2t.data.converters import Batch, EncDecFeatureConverter, TokenExample
from t2t.data.features import SequenceLength
from t2t.data.mixtures import Mixture, leaf_tasks, mixing_rates
from t2t.data.packing import RowBuilder
from t2t.data.tasks import Rows, Task
from t2t.errors import UserError


@dataclasses.dataclass(frozen=True)
class TrainPipeline:
    """Endless training batches of a task or mixture.

    Attributes:
      task_or_mixture: what to draw from.
      sequence_length: tokens per row of "inputs" and "targets".
      batch_size: rows of the global batch, over all hosts.
      seed: of order and of every example's randomness.
      split: which split to read.
      pack: fill each row with as many examples as fit.
      host_index, host_count: this process's share of the rows.
    """

    task_or_mixture: Task | Mixture
    sequence_length: SequenceLength
    batch_size: int
    seed: int = 0
    split: str = "train"
    pack: bool = True
    host_index: int = 0
    host_count: int = 1

    def __post_init__(self):
        if self.batch_size < 1 or self.batch_size % self.host_count:
            raise UserError(
                f"The batch size {self.batch_size} does not divide over {self.host_count} hosts."
            )

    @property
    def task_names(self) -> tuple[str, ...]:
        """Names in the order of `task_ids`."""
        return tuple(task.name for task in leaf_tasks(self.task_or_mixture))

    @property
    def fingerprint(self) -> str:
        """Differs when the stream of batches does; positions are only valid within one stream.

        Of the data, it knows the number of rows and a sample of them.
        """
        facts = [dict(self.sequence_length), self.batch_size, self.pack, self.seed, self.split]
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
        rates = mixing_rates(self.task_or_mixture)
        for name, rows in zip(self.task_names, self.rows, strict=True):
            features = rows.task.output_features
            vocabularies = {k: f.vocabulary.fingerprint for k, f in sorted(features.items())}
            facts = [name, rates[name], len(rows), repr(rows.task.objective), vocabularies]
            digest.update(json.dumps(facts).encode())
            sample = np.linspace(0, len(rows) - 1, 16).astype(int)
            for example in rows.tokens(sample, sample.astype(np.uint64)):
                for feature in sorted(example):
                    digest.update(example[feature].tobytes() + b";")
        return digest.hexdigest()[:16]

    def batches(self, positions: Sequence[int] | None = None) -> "BatchIterator":
        """Returns an iterator of `(Batch, positions)` from the start or from given positions."""
        return BatchIterator(self, positions)

    @functools.cached_property
    def rows(self) -> list[Rows]:
        """The rows of each leaf task; documents are tokenised when first used."""
        tasks = leaf_tasks(self.task_or_mixture)
        return [task.rows(self.split, self.sequence_length) for task in tasks]

    def draws(self) -> grain.MapDataset:
        """The mixed order: item n is (task id, row index, row key)."""
        rates = mixing_rates(self.task_or_mixture)
        datasets = []
        for task_id, (name, task_rows) in enumerate(zip(self.task_names, self.rows, strict=True)):
            key = randomness.fold(0, self.seed, name)
            order = grain.MapDataset.range(len(task_rows)).shuffle(seed=key % 2**32).repeat()
            datasets.append(order.map_with_index(_Draw(task_id, key)))
        return grain.MapDataset.mix(datasets, [rates[name] for name in self.task_names])


@dataclasses.dataclass(frozen=True)
class _Draw:
    """Attaches task and key; the n-th draw of a task has its own key, also in later epochs."""

    task_id: int
    key: int

    def __call__(self, draw: int, index: int) -> tuple[int, int, int]:
        return self.task_id, index, randomness.fold(self.key, draw)


class BatchIterator(Iterator[tuple[Batch, np.ndarray]]):
    """Builds this host's rows; yields each batch with the positions after it.

    Beside the converter's arrays a batch has int32 `decoder_task_ids` `[rows, targets length]`, the
    task that each target token belongs to.
    """

    def __init__(self, pipeline: TrainPipeline, positions: Sequence[int] | None):
        self._pipeline = pipeline
        self._rows = pipeline.rows
        self._draws = pipeline.draws()
        self._converter = EncDecFeatureConverter(pack=pipeline.pack)
        share = pipeline.batch_size // pipeline.host_count
        first = pipeline.host_index * share
        self._streams = np.arange(first, first + share)
        start = np.zeros(pipeline.batch_size, np.int64) if positions is None else positions
        self._positions = np.asarray(start, np.int64)[self._streams].copy()
        self._pending: dict[int, tuple[int, TokenExample]] = {}

    def __next__(self) -> tuple[Batch, np.ndarray]:
        pipeline = self._pipeline
        builders = [RowBuilder(pipeline.sequence_length) for _ in self._streams]
        task_ids = np.zeros((len(builders), pipeline.sequence_length["targets"] + 1), np.int32)
        open_rows = list(range(len(builders)))
        while open_rows:
            self._fetch(open_rows)
            still_open = []
            for row in open_rows:
                task_id, example = self._pending[row]
                if builders[row].add(example):
                    task_ids[row, len(builders[row].examples)] = task_id
                    del self._pending[row]
                    self._positions[row] += 1
                    if pipeline.pack:
                        still_open.append(row)
            open_rows = still_open
        rows = [builder.examples for builder in builders]
        batch = self._converter.convert_rows(rows, pipeline.sequence_length)
        segments = batch.get("decoder_segment_ids", np.ones_like(batch["decoder_input_tokens"]))
        batch["decoder_task_ids"] = np.take_along_axis(task_ids, segments, axis=1)
        return batch, self._positions.copy()

    def _fetch(self, rows: Sequence[int]) -> None:
        """Makes the next example of each row pending, objectives applied to many rows at once."""
        by_task: dict[int, list[tuple[int, int, int]]] = {}
        for row in rows:
            if row not in self._pending:
                item = self._streams[row] + self._positions[row] * self._pipeline.batch_size
                task_id, index, key = self._draws[int(item)]
                by_task.setdefault(task_id, []).append((row, index, key))
        for task_id, wanted in by_task.items():
            members, indices, keys = zip(*wanted, strict=True)
            examples = self._rows[task_id].tokens(indices, np.array(keys, np.uint64))
            for row, example in zip(members, examples, strict=True):
                self._pending[row] = (task_id, example)


def prefetch(batches: BatchIterator, size: int = 2) -> Iterator[tuple[Batch, np.ndarray]]:
    """Builds up to `size` batches ahead, in one thread; errors surface where they are due."""
    with concurrent.futures.ThreadPoolExecutor(1, "t2t-data") as pool:
        pending = collections.deque(pool.submit(next, batches) for _ in range(size))
        while True:
            yield pending.popleft().result()
            pending.append(pool.submit(next, batches))
