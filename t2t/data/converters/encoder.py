"""Batches for encoders alone: BERT and its kin."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from t2t.data.converters.aligned import AlignedFeatureConverter
from t2t.data.converters.base import Batch, TokenExample
from t2t.data.converters.rows import concatenate, flatten, sizes_of
from t2t.data.features import SequenceLength
from t2t.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderFeatureConverter(AlignedFeatureConverter):
    """ "inputs" with something hidden and, aligned with them, the original "targets".

    Loss is taken where an example's own "loss_weights" say. SeqIO's rule, for examples without
    them, is wherever the input is the mask; BERT's tokens that are chosen but replaced at random
    or kept (Devlin et al., arXiv 1810.04805, section 3.1) would get none.

    Attributes:
      mask_id: of the mask token.
    """

    mask_id: int | None = None

    task_features: ClassVar[tuple[str, ...]] = ("inputs", "targets")
    loss_side: ClassVar[str] = "encoder"

    def row_lengths(self, lengths: SequenceLength) -> dict[str, int]:
        self.check_lengths(lengths)
        if lengths["inputs"] != lengths["targets"]:
            raise UserError(
                f"An encoder's inputs and targets are aligned, but their lengths differ: "
                f"{lengths['inputs']} and {lengths['targets']}. Give both one length in "
                f"sequence_length."
            )
        return {"inputs": lengths["inputs"]}

    def sizes(self, example: TokenExample) -> tuple[int, ...]:
        return (len(self.feature("inputs", example)),)

    def convert_rows(
        self, rows: Sequence[Sequence[TokenExample]], lengths: SequenceLength
    ) -> Batch:
        width = self.row_lengths(lengths)["inputs"]
        examples, counts = flatten(rows)
        inputs = self.sequences("inputs", examples, width)
        targets = self.sequences("targets", examples, width)
        sizes = sizes_of(inputs)
        differing = np.flatnonzero(sizes != sizes_of(targets))
        if len(differing):
            i = differing[0]
            raise UserError(
                f"An encoder's inputs and targets are aligned, but an example has "
                f"{len(inputs[i])} and {len(targets[i])} tokens. Its task needs an objective that "
                f"hides tokens, such as MaskedLanguageModel."
            )
        layout = self.layout("inputs", sizes, counts, width)
        flat = concatenate(inputs)
        weights = flat == self._mask_id(examples)
        batch = {
            f"{self.loss_side}_input_tokens": layout.place(flat, self.pad_id),
            f"{self.loss_side}_target_tokens": layout.place(concatenate(targets), self.pad_id),
        }
        batch |= self.align(examples, sizes, layout, weights)
        return batch | self.passed_through(examples, counts, lengths)

    def _mask_id(self, examples: Sequence[TokenExample]) -> int:
        if self.mask_id is not None:
            return self.mask_id
        if all("loss_weights" in example for example in examples):
            return -1
        raise UserError(
            "An example has no 'loss_weights'; tell the EncoderFeatureConverter the mask_id, so "
            "that it takes the loss on masked tokens."
        )
