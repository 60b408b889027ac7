"""Texts in, what a head says of them out: classes, tags, answers."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from t2t.data.converters import HeadFeatureConverter
from t2t.data.heads import HeadRows, Row
from t2t.decoding.batcher import Batcher, numbered
from t2t.decoding.length_buckets import Bucket
from t2t.decoding.prediction import Asked, Numbered, Prediction, Record
from t2t.decoding.reading import InputLimit, check_no_prefix
from t2t.errors import UserError
from t2t.models.definition import Model, Params

_ANY = 2**31 - 1
"""Of tokens: more than any row has."""


@dataclasses.dataclass(frozen=True)
class HeadReader:
    """How records are read for a head, and what it says to text.

    Attributes:
      head: its name.
      rows: what texts become.
      converter: of rows to batches.
      trained_length: tokens of a row in training, at most.
      limit: of those of a row now; without a max_length, `trained_length` is that.
      positions: tokens of a row that the model has positions for; None for any number.
    """

    head: str
    rows: HeadRows
    converter: HeadFeatureConverter
    trained_length: int
    limit: InputLimit = InputLimit()  # noqa: RUF009 (frozen)
    positions: int | None = None

    @property
    def max_length(self) -> int:
        """Tokens of a row, at most."""
        asked = self.limit.max_length or self.trained_length
        return asked if self.positions is None else min(asked, self.positions)

    def row(self, record: Record, name: str) -> Row:
        """The row of a record, called `name` in messages; cut as in training, if at all.

        Raises:
          UserError: if a text is missing, there is a prefix, or it is too long and is not to be
            cut.
        """
        check_no_prefix(record, name, "a head generates nothing")
        texts = self.rows.text_features
        if missing := ", ".join(repr(text) for text in texts if text not in record):
            raise UserError(
                f"{name} has no {missing}: this head reads records, or JSON lines, with "
                f"{' and '.join(map(repr, texts))}."
            )
        row = self._cut(record, name, _ANY)
        most, why = self.positions, f"the model has {self.positions} positions"
        if self.limit.max_length is None and (most is None or self.trained_length <= most):
            most = self.trained_length
            why = f"those of training had {most} at most (see --max_input_length)"
        length = self.limit.allowed(len(row["inputs"]), most, why, name, "first")
        return row if length is None else self._cut(record, name, length)

    def _cut(self, record: Record, name: str, length: int) -> Row:
        try:
            return self.rows.row(record, length)
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

    def predict(self, records: Iterable[Asked]) -> Iterator[list[Prediction]]:
        """Yields the prediction for each record, in order, reading a little ahead.

        Args:
          records: with "inputs", and "pair" where rows are made of it; a string is its inputs.

        Raises:
          UserError: a record lacks a text, has a prefix, or is too long and is not to be cut.
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
