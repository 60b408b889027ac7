"""Texts in, what a head says of them out: classes, tags, answers."""

import dataclasses
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from t2t.data.converters import HeadFeatureConverter
from t2t.data.heads import HeadRows, Row
from t2t.decoding.compiled import Compiled
from t2t.decoding.length_buckets import Bucket, buckets, windows
from t2t.decoding.prediction import Prediction, Record, Throughput
from t2t.errors import UserError
from t2t.models.definition import Model, Params


@dataclasses.dataclass(frozen=True)
class HeadReader:
    """How records are read for a head, and what it says to text.

    Attributes:
      head: its name.
      rows: what texts become.
      converter: of rows to batches.
      max_length: tokens of a row, at most; texts are cut as in training.
    """

    head: str
    rows: HeadRows
    converter: HeadFeatureConverter
    max_length: int

    def row(self, record: Record, name: str) -> Row:
        """The row of a record, called `name` in messages; raises UserError if a text is missing."""
        try:
            return self.rows.row(record, self.max_length)
        except UserError as error:
            raise UserError(f"{name}: {error}") from error

    def batch(self, rows: Sequence[Row], bucket: Bucket) -> Mapping[str, np.ndarray]:
        """The members of a bucket, filled up with rows that do not count."""
        members = [rows[i] for i in bucket.members]
        arrays = self.converter(members, {"inputs": bucket.length})
        missing = bucket.rows - len(members)
        return {name: np.pad(x, ((0, missing), (0, 0))) for name, x in arrays.items()}


class HeadPredictor:
    """Reads records in batches of like length, with one compilation per length class.

    Attributes:
      throughput: of all calls up to now.
    """

    def __init__(
        self, model: Model, params: Params, reader: HeadReader, *, batch_size: int = 64
    ) -> None:
        if batch_size < 1:
            raise UserError(f"batch_size must be at least 1, got {batch_size}.")
        self.throughput = Throughput()
        self._reader, self._batch_size = reader, batch_size

        def outputs(params, batch):
            return model.bind(params).outputs(batch, reader.head)

        self._outputs = Compiled(outputs, params, self.throughput)

    def predict(self, records: Iterable[Record | str]) -> Iterator[list[Prediction]]:
        """Yields the prediction for each record, in order, reading a little ahead.

        Args:
          records: with "inputs", and "pair" where rows are made of it; a string is its inputs.

        Raises:
          UserError: a record lacks a text.
        """
        number = 0
        for window in windows(records, self._batch_size):
            started, compiling = time.perf_counter(), self.throughput.compile_seconds
            given = [{"inputs": r} if isinstance(r, str) else r for r in window]
            texts = self._predicted(given, number)
            number += len(window)
            compiled = self.throughput.compile_seconds - compiling
            self.throughput.seconds += time.perf_counter() - started - compiled
            self.throughput.records += len(window)
            yield from texts

    def _predicted(self, records: Sequence[Record], number: int) -> list[list[Prediction]]:
        reader = self._reader
        rows = [reader.row(record, f"Record {number + i + 1}") for i, record in enumerate(records)]
        found: list[list[Prediction]] = [[] for _ in rows]
        started: list[tuple[Bucket, Any]] = [
            (bucket, self._outputs(reader.batch(rows, bucket)))
            for bucket in buckets(
                [len(row["inputs"]) for row in rows], self._batch_size, reader.max_length
            )
        ]
        for bucket, outputs in started:
            arrays = jax.device_get(outputs)
            for i, array in zip(bucket.members, arrays, strict=False):
                found[i] = [Prediction(*reader.rows.read(rows[i], records[i], array))]
        return found
