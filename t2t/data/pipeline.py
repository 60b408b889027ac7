"""From tasks to batches: mix, share out by host, pack. See `t2t.data.streams` for the order."""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from t2t.data.converters import Batch, EncDecFeatureConverter, FeatureConverter
from t2t.data.draws import Draws
from t2t.data.features import SequenceLength
from t2t.data.heads import HeadRows, with_rows
from t2t.data.look_ahead import LookAhead
from t2t.data.mixtures import Mixture, leaf_tasks, mixing_rates
from t2t.data.positions import Positions
from t2t.data.rows import Rows, open_rows
from t2t.data.streams import Drawn, RowStreams
from t2t.data.tasks import Task
from t2t.errors import UserError


@dataclasses.dataclass(frozen=True)
class TrainPipeline:
    """Endless training batches of a task or mixture.

    Attributes:
      task_or_mixture: what to draw from.
      sequence_length: tokens per row of each output feature.
      batch_size: rows of the global batch, over all hosts.
      seed: of order and of every example's randomness.
      split: which split to read; tasks without it are left out of a mixture.
      converter: what to make of the examples, and whether to pack them.
      host_index, host_count: this process's share of the rows.
      head_rows: what the texts become, where a head is trained.
    """

    task_or_mixture: Task | Mixture
    sequence_length: SequenceLength
    batch_size: int
    seed: int = 0
    split: str = "train"
    converter: FeatureConverter = EncDecFeatureConverter()  # noqa: RUF009 (frozen)
    host_index: int = 0
    host_count: int = 1
    head_rows: HeadRows | None = None

    def __post_init__(self):
        if self.batch_size < 1 or self.batch_size % self.host_count:
            raise UserError(
                f"The batch size {self.batch_size} does not divide over {self.host_count} hosts."
            )

    @functools.cached_property
    def rates(self) -> Mapping[str, float]:
        """Share of each task that is drawn from, in the order of `task_ids`."""
        return mixing_rates(self.task_or_mixture, self.split)

    @property
    def task_names(self) -> tuple[str, ...]:
        """Names in the order of `task_ids`."""
        return tuple(self.rates)

    @functools.cached_property
    def rows(self) -> list[Rows]:
        """The rows of each task; opened when first used."""
        made = leaf_tasks(with_rows(self.task_or_mixture, self.head_rows))
        tasks = [task for task in made if task.name in self.rates]
        return [open_rows(task, self.split, self.sequence_length) for task in tasks]

    @functools.cached_property
    def draws(self) -> Draws:
        """The mixed order."""
        sizes = [len(rows) for rows in self.rows]
        return Draws(self.task_names, sizes, list(self.rates.values()), self.seed)

    @property
    def fingerprint(self) -> str:
        """Differs when the stream of batches does; positions are only valid within one stream.

        Of the data, it knows the number of rows and a sample of them.
        """
        lengths = sorted(self.sequence_length.items())
        facts = [lengths, self.batch_size, repr(self.converter), self.seed, self.split]
        digest = hashlib.sha256(json.dumps(facts).encode())
        for rows, rate in zip(self.rows, self.rates.values(), strict=True):
            task = rows.task
            vocabularies = {
                name: feature.vocabulary.fingerprint
                for name, feature in sorted(task.output_features.items())
            }
            facts = [task.name, rate, len(rows), repr(task.objective), vocabularies]
            digest.update(json.dumps(facts).encode())
            for example in _sample(rows):
                for feature in sorted(example):
                    digest.update(example[feature].tobytes() + b";")
        return digest.hexdigest()[:16]

    def batches(self, positions: Sequence | np.ndarray | None = None) -> "BatchIterator":
        """Returns an iterator of `(Batch, positions)` from the start or from given positions."""
        return BatchIterator(self, positions)

    @property
    def skipped(self) -> dict[str, int]:
        """Malformed records that this process left out so far, by task; only those with some."""
        counts = {rows.task.name: len(rows.task.source.skipped) for rows in self.rows}
        return {name: count for name, count in counts.items() if count}

    def consumed(self, positions: np.ndarray) -> dict[str, dict[str, int]]:
        """Examples and tokens that went into batches, by task, since the start of training.

        Args:
          positions: of any rows, as `batches` yields them.
        """
        at = Positions.from_array(positions, len(self.rates))
        counts = zip(self.task_names, at.examples.sum(0), at.tokens.sum(0), strict=True)
        return {name: {"examples": int(e), "tokens": int(t)} for name, e, t in counts}


class BatchIterator(Iterator[tuple[Batch, np.ndarray]]):
    """Builds this host's rows; yields each batch with the positions after it.

    Beside the converter's arrays a batch has int32 `decoder_task_ids` `[rows, length]` (for an
    encoder-only model `encoder_task_ids`), the task that each target token belongs to, if it has
    loss weights.
    """

    def __init__(self, pipeline: TrainPipeline, positions: Sequence | np.ndarray | None):
        self._pipeline, self._converter = pipeline, pipeline.converter
        tasks = len(pipeline.rates)
        share = pipeline.batch_size // pipeline.host_count
        first = pipeline.host_index * share
        members = np.arange(first, first + share)
        self._at = (
            Positions.start(share, tasks)
            if positions is None
            else Positions.from_array(np.asarray(positions, np.int64)[members], tasks)
        )
        self._streams = RowStreams(
            pipeline.rows, pipeline.draws, pipeline.batch_size, members, self._at
        )
        capacity = np.array(list(self._converter.row_lengths(pipeline.sequence_length).values()))
        self._pending: list[LookAhead[Drawn]] = [LookAhead(capacity) for _ in members]
        for row, places in enumerate(self._at.pending):
            for drawn in self._streams.again(row, places[places[:, 0] >= 0]):
                self._hold(row, drawn)

    @property
    def skipped(self) -> dict[str, int]:
        """Malformed records left out so far, by task."""
        return self._pipeline.skipped

    def __next__(self) -> tuple[Batch, np.ndarray]:
        everyone = range(len(self._pending))
        if self._converter.pack:
            rows = self._pack()
        else:
            rows = [[drawn] for drawn in self._streams.next(everyone)]
        lengths = self._pipeline.sequence_length
        batch = self._converter.convert_rows([[d.example for d in row] for row in rows], lengths)
        self._add_task_ids(batch, rows)
        for at, row in enumerate(rows):
            for drawn in row:
                self._at.examples[at, drawn.task] += 1
                self._at.tokens[at, drawn.task] += sum(self._converter.sizes(drawn.example))
        return batch, self._at.to_array()

    def _pack(self) -> list[list[Drawn]]:
        """Fills each row with examples that it holds back, drawing more until it has a choice."""
        hungry = [row for row, pending in enumerate(self._pending) if pending.is_hungry]
        while hungry:
            for row, drawn in zip(hungry, self._streams.next(hungry), strict=True):
                self._hold(row, drawn)
            hungry = [row for row in hungry if self._pending[row].is_hungry]
        rows = [pending.take() for pending in self._pending]
        self._at.pending[:] = -1
        for row, pending in enumerate(self._pending):
            if pending.items:
                self._at.pending[row, : len(pending.items)] = [d[:3] for d in pending.items]
        return rows

    def _hold(self, row: int, drawn: Drawn) -> None:
        self._pending[row].add(drawn, self._converter.sizes(drawn.example))

    def _add_task_ids(self, batch: Batch, rows: list[list[Drawn]]) -> None:
        side = self._converter.loss_side
        weights = batch.get(f"{side}_loss_weights")
        if weights is None:  # batches that are passed through as they are need not have any
            return
        of_segment = np.zeros((len(rows), 2 + max(map(len, rows))), np.int32)
        for at, row in enumerate(rows):
            of_segment[at, 1 : len(row) + 1] = [drawn.task for drawn in row]
        packed = self._converter.pack  # rows that were packed before are of one example, one task
        segments = batch[f"{side}_segment_ids"] if packed else np.ones_like(weights)
        batch[f"{side}_task_ids"] = np.take_along_axis(of_segment, segments, axis=1)


def _sample(rows: Rows, count: int = 16) -> list:
    indices = np.unique(np.linspace(0, len(rows) - 1, count).astype(int))
    keys = indices.astype(np.uint64)
    units = [group[0] for group in rows.units(indices.tolist(), keys) if group]
    return rows.examples(units, keys[: len(units)])
