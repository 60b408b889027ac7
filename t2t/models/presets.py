"""Configurations of whole families in one call, for Python; gin has its own in gin/models/."""

from t2t.models.attention import Attention
from t2t.models.config import Compute, Dropout, SpecialTokens
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.models.feed_forward import FeedForward
from t2t.models.heads import LMHead
from t2t.models.norms import RMSNorm
from t2t.models.positions import RelativeBias
from t2t.models.stack import Stack


def t5(
    *,
    vocab_size: int,
    d_model: int,
    d_ff: int,
    num_heads: int,
    head_dim: int,
    num_encoder_layers: int,
    num_decoder_layers: int,
    activations: tuple[str, ...] = ("gelu_tanh", "linear"),
    tied: bool = False,
    num_buckets: int = 32,
    max_distance: int = 128,
    per_layer_bias: bool = False,
    layer_norm_epsilon: float = 1e-6,
    dropout_rate: float = 0.0,
    tokens: SpecialTokens = SpecialTokens(),  # noqa: B008 (frozen)
    compute: Compute = Compute(),  # noqa: B008
) -> EncoderDecoder:
    """T5 1.1 (https://arxiv.org/abs/2002.05202); 1.0 with `activations=("relu",), tied=True`."""
    attention = Attention(num_heads, head_dim, scale=1.0)

    def stack(num_layers: int, cross_attention: Attention | None) -> Stack:
        return Stack(
            num_layers=num_layers,
            d_model=d_model,
            attention=attention,
            cross_attention=cross_attention,
            feed_forward=FeedForward(d_ff, activations),
            norm=RMSNorm(layer_norm_epsilon),
            positions=RelativeBias(num_buckets, max_distance, per_layer_bias),
        )

    rate = dropout_rate
    return EncoderDecoder(
        vocab_size=vocab_size,
        encoder=stack(num_encoder_layers, None),
        decoder=stack(num_decoder_layers, attention),
        head=LMHead(tied=tied, scaled=tied),
        tokens=tokens,
        dropout=Dropout(rate, rate, rate, rate, rate, shared_over_length=True),
        compute=compute,
    )
