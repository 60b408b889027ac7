"""Feature converters: token examples in, the arrays of one model architecture out.

Names and meaning are SeqIO's: `encoder_input_tokens`, `decoder_input_tokens`,
`decoder_target_tokens`, `decoder_loss_weights` and, when packed, `*_segment_ids` (from 1; 0 is
padding) and `*_positions` (from 0 in every segment). All are int32 `[rows, length]`.
"""

from t2t.data.converters.base import (
    Batch,
    FeatureConverter,
    TokenExample,
    make_autoregressive_inputs,
)
from t2t.data.converters.blank_infilling import BlankInfillingFeatureConverter
from t2t.data.converters.decoder import (
    DecoderFeatureConverter,
    LMFeatureConverter,
    PrefixLMFeatureConverter,
    PrefixSuffixLMFeatureConverter,
)
from t2t.data.converters.encoder import EncoderFeatureConverter
from t2t.data.converters.encoder_decoder import (
    EncDecFeatureConverter,
    PrePackedEncDecFeatureConverter,
)
from t2t.data.converters.heads import (
    DecoderHeadFeatureConverter,
    EncDecHeadFeatureConverter,
    HeadFeatureConverter,
)
from t2t.data.converters.passthrough import (
    PassThroughFeatureConverter,
    PrePackedLMFeatureConverter,
    PrePackedPrefixLMFeatureConverter,
)

__all__ = [
    "Batch",
    "BlankInfillingFeatureConverter",
    "DecoderFeatureConverter",
    "DecoderHeadFeatureConverter",
    "EncDecFeatureConverter",
    "EncDecHeadFeatureConverter",
    "EncoderFeatureConverter",
    "FeatureConverter",
    "HeadFeatureConverter",
    "LMFeatureConverter",
    "PassThroughFeatureConverter",
    "PrePackedEncDecFeatureConverter",
    "PrePackedLMFeatureConverter",
    "PrePackedPrefixLMFeatureConverter",
    "PrefixLMFeatureConverter",
    "PrefixSuffixLMFeatureConverter",
    "TokenExample",
    "make_autoregressive_inputs",
]
