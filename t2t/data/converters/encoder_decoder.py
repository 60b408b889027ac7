"""Batches for encoder-decoders."""

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
from t2t.data.converters.rows import flatten
from t2t.data.features import SequenceLength
from t2t.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncDecFeatureConverter(FeatureConverter):
    """ "inputs" to the encoder, "targets" to the decoder; loss on every token of the targets.

    Attributes:
      bos_id: what the decoder sees first, at the start of every segment.
    """

    bos_id: int = 0

    task_features: ClassVar[tuple[str, ...]] = ("inputs", "targets")
    loss_side: ClassVar[str] = "decoder"

    def convert_rows(
        self, rows: Sequence[Sequence[TokenExample]], lengths: SequenceLength
    ) -> Batch:
        self.check_lengths(lengths)
        examples, counts = flatten(rows)
        inputs, encoder = self.place("inputs", examples, counts, lengths["inputs"])
        targets, decoder = self.place("targets", examples, counts, lengths["targets"])
        batch = {
            "encoder_input_tokens": inputs,
            "decoder_target_tokens": targets,
            "decoder_loss_weights": (targets != self.pad_id).astype(np.int32),
        }
        segment_ids = None
        if self.pack:
            for side, layout in (("encoder", encoder), ("decoder", decoder)):
                segment_ids = layout.place(layout.per_token(layout.segments))
                batch[f"{side}_segment_ids"] = segment_ids
                batch[f"{side}_positions"] = layout.place(layout.flat_positions)
        batch["decoder_input_tokens"] = make_autoregressive_inputs(
            targets, segment_ids, self.bos_id
        )
        return batch | self.passed_through(examples, counts, lengths)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PrePackedEncDecFeatureConverter(FeatureConverter):
    """Rows that were packed before: segment ids and positions come with the examples.

    Attributes:
      bos_id: what the decoder sees first, at the start of every segment.
    """

    pack: bool = False
    bos_id: int = 0

    task_features: ClassVar[tuple[str, ...]] = (
        "inputs",
        "inputs_positions",
        "inputs_segment_ids",
        "targets",
        "targets_positions",
        "targets_segment_ids",
    )
    loss_side: ClassVar[str] = "decoder"

    def __post_init__(self):
        if self.pack:
            raise UserError("'pack=True' is not allowed in PrePackedEncDecFeatureConverter.")

    def convert_rows(
        self, rows: Sequence[Sequence[TokenExample]], lengths: SequenceLength
    ) -> Batch:
        self.check_lengths(lengths)
        examples, counts = flatten(rows)
        given = {
            name: self.place(name, examples, counts, lengths[name])[0]
            for name in self.task_features
        }
        targets, segment_ids = given["targets"], given["targets_segment_ids"]
        return {
            "encoder_input_tokens": given["inputs"],
            "encoder_segment_ids": given["inputs_segment_ids"],
            "encoder_positions": given["inputs_positions"],
            "decoder_target_tokens": targets,
            "decoder_input_tokens": make_autoregressive_inputs(targets, segment_ids, self.bos_id),
            "decoder_loss_weights": (targets != 0).astype(np.int32),
            "decoder_segment_ids": segment_ids,
            "decoder_positions": given["targets_positions"],
        } | self.passed_through(examples, counts, lengths)
