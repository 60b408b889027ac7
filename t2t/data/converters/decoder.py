"""Batches for decoders without an encoder."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from t2t.data.converters.aligned import AlignedFeatureConverter
from t2t.data.converters.base import (
    Batch,
    TokenExample,
    make_autoregressive_inputs,
)
from t2t.data.converters.rows import RowLayout, concatenate, flatten, sizes_of
from t2t.data.features import SequenceLength


@dataclasses.dataclass(frozen=True, kw_only=True)
class LMFeatureConverter(AlignedFeatureConverter):
    """Language model: loss on every token of the "targets".

    Attributes:
      bos_id: what the decoder sees first, at the start of every segment.
    """

    bos_id: int = 0

    task_features: ClassVar[tuple[str, ...]] = ("targets",)
    loss_side: ClassVar[str] = "decoder"

    def row_lengths(self, lengths: SequenceLength) -> dict[str, int]:
        self.check_lengths(lengths)
        return {"targets": sum(lengths[name] for name in self.task_features)}

    def sizes(self, example: TokenExample) -> tuple[int, ...]:
        prefix, *rest = (len(self.feature(name, example)) for name in self.task_features)
        return (prefix + max(sum(rest), 1) if rest else prefix,)

    def convert_rows(
        self, rows: Sequence[Sequence[TokenExample]], lengths: SequenceLength
    ) -> Batch:
        width = self.row_lengths(lengths)["targets"]
        examples, counts = flatten(rows)
        parts = [self.sequences(name, examples, lengths[name]) for name in self.task_features]
        sizes = np.array([sizes_of(part) for part in parts])
        tokens, padded = sizes.sum(0), sizes.sum(0)
        if len(parts) > 1:  # without anything behind the prefix, one pad stands for it
            padded = tokens + (tokens == sizes[0])
            parts.append(
                [np.full(pad, self.pad_id, np.int32) for pad in (padded - tokens).tolist()]
            )
        flat = concatenate([array for arrays in zip(*parts, strict=True) for array in arrays])
        layout = self.layout(" + ".join(self.task_features), padded, counts, width)
        targets = layout.place(flat, self.pad_id)
        batch = {"decoder_target_tokens": targets}
        batch |= self.align(examples, tokens, layout, self.loss_weights(flat, sizes, layout))
        batch |= {name: layout.place(x) for name, x in self.marks(flat, sizes, layout).items()}
        segment_ids = batch.get("decoder_segment_ids")
        batch["decoder_input_tokens"] = make_autoregressive_inputs(
            targets, segment_ids, self.bos_id
        )
        return batch | self.passed_through(examples, counts, lengths)

    def loss_weights(self, flat: np.ndarray, sizes: np.ndarray, layout: RowLayout) -> np.ndarray:
        """Flat weights of flat tokens from `[task_features, examples]` sizes."""
        return flat != self.pad_id

    def marks(
        self, flat: np.ndarray, sizes: np.ndarray, layout: RowLayout
    ) -> dict[str, np.ndarray]:
        """Further flat features of the batch."""
        return {}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PrefixLMFeatureConverter(LMFeatureConverter):
    """Prefix language model (T5, section 3.2.1, arXiv 1910.10683): inputs, then targets.

    `decoder_causal_attention` is 1 where attention goes both ways: over the inputs and the
    position after, which reads their last token and predicts the first target.

    Attributes:
      loss_on_targets_only: no loss on the inputs.
    """

    loss_on_targets_only: bool = True

    task_features: ClassVar[tuple[str, ...]] = ("inputs", "targets")

    def loss_weights(self, flat: np.ndarray, sizes: np.ndarray, layout: RowLayout) -> np.ndarray:
        weights = flat != self.pad_id
        if self.loss_on_targets_only:
            weights &= layout.flat_positions >= layout.per_token(sizes[0])
        return weights

    def marks(
        self, flat: np.ndarray, sizes: np.ndarray, layout: RowLayout
    ) -> dict[str, np.ndarray]:
        reaches = layout.per_token(sizes[0])
        return {"decoder_causal_attention": layout.flat_positions <= reaches}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PrefixSuffixLMFeatureConverter(PrefixLMFeatureConverter):
    """Inputs, then targets, then suffixes.

    `target_suffix_weights` are 1 on the suffixes or, where there are none, on the targets;
    `decoder_loss_weights` cover both.
    """

    task_features: ClassVar[tuple[str, ...]] = ("inputs", "targets", "suffixes")

    def marks(
        self, flat: np.ndarray, sizes: np.ndarray, layout: RowLayout
    ) -> dict[str, np.ndarray]:
        inputs, targets, suffixes = sizes
        begins = layout.per_token(inputs + np.where(suffixes > 0, targets, 0))
        weights = (layout.flat_positions >= begins) & (flat != self.pad_id)
        return super().marks(flat, sizes, layout) | {"target_suffix_weights": weights}


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecoderFeatureConverter(LMFeatureConverter):
    """One of the above, by which features have a length: suffixes, else inputs, else targets.

    Attributes:
      loss_on_targets_only: no loss on the inputs, if there are any.
    """

    loss_on_targets_only: bool = True

    def check_lengths(self, lengths: SequenceLength) -> None:
        self._for(lengths).check_lengths(lengths)

    def row_lengths(self, lengths: SequenceLength) -> dict[str, int]:
        return self._for(lengths).row_lengths(lengths)

    def sizes(self, example: TokenExample) -> tuple[int, ...]:
        return self._for(example).sizes(example)

    def convert_rows(
        self, rows: Sequence[Sequence[TokenExample]], lengths: SequenceLength
    ) -> Batch:
        return self._for(lengths).convert_rows(rows, lengths)

    def _for(self, names: SequenceLength | TokenExample) -> LMFeatureConverter:
        options = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        if "suffixes" in names:
            return PrefixSuffixLMFeatureConverter(**options)
        if "inputs" in names:
            return PrefixLMFeatureConverter(**options)
        del options["loss_on_targets_only"]
        return LMFeatureConverter(**options)
