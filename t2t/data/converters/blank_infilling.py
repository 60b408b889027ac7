"""Batches for decoders that fill blanks: GLM."""

import dataclasses
from typing import ClassVar

from t2t.data.converters.encoder import EncoderFeatureConverter


@dataclasses.dataclass(frozen=True, kw_only=True)
class BlankInfillingFeatureConverter(EncoderFeatureConverter):
    """ "inputs" that a decoder reads as they are, and "targets" aligned with them, not shifted.

    What GLM's objectives make (Du et al., arXiv 2103.10360, section 2.1): `decoder_prefix_mask`
    marks Part A, `decoder_positions` and `decoder_block_positions` are the two dimensions.
    """

    loss_side: ClassVar[str] = "decoder"
    aligned_features: tuple[str, ...] = ("prefix_mask", "positions", "block_positions")
