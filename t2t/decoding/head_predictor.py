"""Texts in, what a head says of them out: classes, tags, answers."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from t2t.data.converters import HeadFeatureConverter
from t2t.data.heads import HeadRows, Row
from t2t.decoding.batcher import Batcher, Numbered, numbered
from t2t.decoding.length_buckets import Bucket
from t2t.decoding.prediction import Prediction, Record
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
        """Raises UserError if batch_size is below 1."""
        self._batcher, self._reader = Batcher(batch_size), reader
        self.throughput = self._batcher.throughput

        def outputs(params, batch):
            return model.bind(params).outputs(batch, reader.head)

        self._outputs = self._batcher.compiled(outputs, params)

    def predict(self, records: Iterable[Record | str]) -> Iterator[list[Prediction]]:
        """Yields the prediction for each record, in order, reading a little ahead.

        Args:
          records: with "inputs", and "pair" where rows are made of it; a string is its inputs.

        Raises:
          UserError: a record lacks a text.
        """
        return self._batcher.by_window(numbered(records), self._predicted)

    def _predicted(self, window: list[Numbered]) -> list[list[Prediction]]:
        reader = self._reader
        rows = [reader.row(asked.record, asked.name) for asked in window]
        found = self._batcher.by_length(
            [len(row["inputs"]) for row in rows],
            reader.max_length,
            lambda bucket: self._outputs(reader.batch(rows, bucket)),
        )
        return [
            [Prediction(*reader.rows.read(row, asked.record, array))]
            for row, asked, array in zip(rows, window, found, strict=True)
        ]
