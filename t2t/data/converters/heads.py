"""Batches for heads: a row of tokens each, and labels of its own width."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from t2t.data.converters.base import (
    Batch,
    FeatureConverter,
    TokenExample,
    make_autoregressive_inputs,
)
from t2t.data.converters.rows import concatenate, flatten, sizes_of
from t2t.data.features import SequenceLength
from t2t.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeadFeatureConverter(FeatureConverter):
    """ "inputs" to the encoder or the decoder there is; `<side>_labels` and `<side>_loss_weights`.

    Rows are not packed: a head reads the first or the last token of a row, or all of them.

    Attributes:
      labels_per_row: width of labels and weights; None for one per token.
      token_types: whether the model reads them.
      mark_tokens: give `<side>_segment_ids`, 1 at tokens, for models without an id of padding.
    """

    pack: bool = False
    labels_per_row: int | None = None
    token_types: bool = False
    mark_tokens: bool = False

    task_features: ClassVar[tuple[str, ...]] = ("inputs",)
    loss_side: ClassVar[str] = "encoder"

    def __post_init__(self):
        if self.pack:
            raise UserError("Rows for a head are not packed.")

    def check_lengths(self, lengths: SequenceLength) -> None:
        """Raises UserError unless "inputs" have a length; others do not matter."""
        if "inputs" not in lengths:
            raise UserError("Rows for a head need sequence_length['inputs'], the length of a row.")

    def convert_rows(
        self, rows: Sequence[Sequence[TokenExample]], lengths: SequenceLength
    ) -> Batch:
        width = self.row_lengths(lengths)["inputs"]
        examples, counts = flatten(rows)
        tokens, layout = self.place("inputs", examples, counts, width)
        batch = {f"{self.loss_side}_input_tokens": tokens}
        if self.token_types:
            types = self._values("token_types", examples, counts, width)
            batch[f"{self.loss_side}_token_types"] = types
        if self.mark_tokens:
            batch[f"{self.loss_side}_segment_ids"] = layout.place(layout.per_token(layout.segments))
        for name in ("labels", "loss_weights"):
            if all(name in example for example in examples):  # predictions are made without
                values = self._values(name, examples, counts, self.labels_per_row or width)
                batch[f"{self.loss_side}_{name}"] = values
        return batch

    def _values(
        self, name: str, examples: Sequence[TokenExample], counts: np.ndarray, width: int
    ) -> np.ndarray:
        """Int32 `[rows, width]`, 0 behind."""
        arrays = self.sequences(name, examples, width)
        return self.layout(name, sizes_of(arrays), counts, width).place(concatenate(arrays))


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecoderHeadFeatureConverter(HeadFeatureConverter):
    """The same for a decoder alone, which reads the row as it is: nothing is shifted."""

    loss_side: ClassVar[str] = "decoder"


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncDecHeadFeatureConverter(HeadFeatureConverter):
    """The row to the encoder and, shifted right by one, to the decoder (BART, section 3.1).

    Attributes:
      bos_id: what the decoder sees first.
    """

    bos_id: int = 0

    loss_side: ClassVar[str] = "decoder"

    def convert_rows(
        self, rows: Sequence[Sequence[TokenExample]], lengths: SequenceLength
    ) -> Batch:
        batch = super().convert_rows(rows, lengths)
        tokens = batch.pop("decoder_input_tokens")
        batch["encoder_input_tokens"] = tokens
        if "decoder_segment_ids" in batch:
            batch["encoder_segment_ids"] = batch["decoder_segment_ids"]
        if "decoder_token_types" in batch:
            batch["encoder_token_types"] = batch["decoder_token_types"]
        batch["decoder_input_tokens"] = make_autoregressive_inputs(tokens, None, self.bos_id)
        return batch
