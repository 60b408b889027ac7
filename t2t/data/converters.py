"""Feature converters: token examples in, the arrays of one model architecture out.

Names and meaning are SeqIO's: `encoder_input_tokens`, `decoder_input_tokens`,
`decoder_target_tokens`, `decoder_loss_weights` and, when packed, `*_segment_ids` (from 1; 0 is
padding) and `*_positions` (from 0 in every segment). All are int32.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from t2t.data.features import SequenceLength
from t2t.data.packing import pack_next_fit
from t2t.errors import UserError

TokenExample = Mapping[str, np.ndarray]
Batch = dict[str, np.ndarray]
_TASK_FEATURES = ("inputs", "targets")


@dataclasses.dataclass(frozen=True)
class EncDecFeatureConverter:
    """Batches for an encoder-decoder.

    Attributes:
      pack: put several examples in a row, told apart by segment ids.
      apply_length_check: raise on sequences longer than their length instead of cutting them.
      bos_id: what the decoder sees first, at the start of every segment.
      passthrough_features: further features to pad and pass on; not with packing.
    """

    pack: bool = True
    apply_length_check: bool = True
    bos_id: int = 0
    passthrough_features: tuple[str, ...] = ()

    def __post_init__(self):
        if self.pack and self.passthrough_features:
            raise UserError("Packing is incompatible with pass-through features.")

    def __call__(
        self, examples: Sequence[TokenExample], task_feature_lengths: SequenceLength
    ) -> Batch:
        """Converts examples to `[rows, length]` arrays; one row each unless packed."""
        self._check_lengths(task_feature_lengths)
        if self.pack:
            return self.convert_rows(
                pack_next_fit(examples, task_feature_lengths), task_feature_lengths
            )
        return self.convert_rows([[example] for example in examples], task_feature_lengths)

    def convert_rows(
        self, rows: Sequence[Sequence[TokenExample]], task_feature_lengths: SequenceLength
    ) -> Batch:
        """Converts rows of one example each or, packed, of any number that fits."""
        inputs = self._concatenate("inputs", rows, task_feature_lengths)
        targets = self._concatenate("targets", rows, task_feature_lengths)
        batch = {
            "encoder_input_tokens": inputs.tokens,
            "decoder_target_tokens": targets.tokens,
            "decoder_input_tokens": make_autoregressive_inputs(
                targets.tokens, targets.segment_ids if self.pack else None, self.bos_id
            ),
            "decoder_loss_weights": (targets.tokens != 0).astype(np.int32),
        }
        if self.pack:
            batch |= {
                "encoder_segment_ids": inputs.segment_ids,
                "decoder_segment_ids": targets.segment_ids,
                "encoder_positions": inputs.positions,
                "decoder_positions": targets.positions,
            }
        for name in self.passthrough_features:
            batch[name] = self._concatenate(name, rows, task_feature_lengths).tokens
        return batch

    def _check_lengths(self, task_feature_lengths: SequenceLength) -> None:
        missing = {*_TASK_FEATURES, *self.passthrough_features} - set(task_feature_lengths)
        if missing:
            raise UserError(
                "The task_feature_lengths is missing features specified in the TASK_FEATURES: "
                f"{missing}"
            )

    def _concatenate(
        self,
        name: str,
        rows: Sequence[Sequence[TokenExample]],
        task_feature_lengths: SequenceLength,
    ) -> "_Packed":
        length = task_feature_lengths[name]
        tokens, segment_ids, positions = np.zeros((3, len(rows), length), np.int32)
        for r, row in enumerate(rows):
            start = 0
            for segment, example in enumerate(row, 1):
                sequence = example[name]
                if start + len(sequence) > length:
                    if self.apply_length_check:
                        raise UserError(
                            f"Feature '{name}' has {start + len(sequence)} tokens in a row; its "
                            f"length is {length}."
                        )
                    sequence = sequence[: length - start]
                end = start + len(sequence)
                tokens[r, start:end] = sequence
                segment_ids[r, start:end] = segment
                positions[r, start:end] = np.arange(len(sequence))
                start = end
        return _Packed(tokens, segment_ids, positions)


@dataclasses.dataclass(frozen=True)
class _Packed:
    tokens: np.ndarray
    segment_ids: np.ndarray
    positions: np.ndarray


def make_autoregressive_inputs(
    targets: np.ndarray, sequence_id: np.ndarray | None = None, bos_id: int = 0
) -> np.ndarray:
    """Shifts int32 `[..., length]` targets right by one, with `bos_id` first.

    With segment ids of the same shape, `bos_id` stands at every start of a segment, and of the
    padding, too.
    """
    inputs = np.roll(targets, 1, axis=-1)
    inputs[..., 0] = bos_id
    if sequence_id is not None:
        begins = sequence_id[..., 1:] != sequence_id[..., :-1]
        inputs[..., 1:] = np.where(begins, bos_id, inputs[..., 1:])
    return inputs
