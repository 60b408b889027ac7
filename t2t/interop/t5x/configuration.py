"""The configuration of the T5 that a T5X checkpoint holds."""

from typing import Any

from t2t.errors import UserError
from t2t.interop.t5x.layout import Layout

_GATED = ("gelu_tanh", "linear")  # T5 1.1, mT5, ByT5, umT5: https://arxiv.org/abs/2002.05202
_PLAIN = ("relu",)  # T5 1.0: https://arxiv.org/abs/1910.10683


def model_config(layout: Layout, activations: tuple[str, ...] | None = None) -> Any:
    """The model of `layout`: sizes are in the shapes, the rest is what T5X's T5 does.

    Args:
      layout: of the checkpoint.
      activations: of the feed-forward layers; None for T5 1.1's if gated, else T5 1.0's.

    Raises:
      UserError: if the number of activations is not that of the feed-forward branches.
    """
    from t2t.models import (
        Attention,
        EncoderDecoder,
        FeedForward,
        LMHead,
        RelativeBias,
        RMSNorm,
        Stack,
    )

    activations = activations or (_GATED if layout.gated else _PLAIN)
    if len(activations) != 1 + layout.gated:
        raise UserError(
            f"The checkpoint's feed-forward layers have {1 + layout.gated} input kernel(s), so "
            f"activations {activations} do not fit."
        )
    sizes = layout.sizes
    attention = Attention(sizes["heads"], sizes["joined"] // sizes["heads"], scale=1.0)

    def stack(name: str) -> Stack:
        return Stack(
            num_layers=sizes[f"{name}_layers"],
            d_model=sizes["embed"],
            attention=attention,
            feed_forward=FeedForward(sizes["mlp"], activations),
            norm=RMSNorm(epsilon=1e-6),
            positions=RelativeBias(
                num_buckets=sizes["buckets"],
                max_distance=128,  # not in the shapes; T5X has no other
                per_layer=layout.positions_per_layer(name),
            ),
            cross_attention=attention if name == "decoder" else None,
        )

    return EncoderDecoder(
        vocab_size=sizes["vocab"],
        encoder=stack("encoder"),
        decoder=stack("decoder"),
        head=LMHead(tied=layout.tied, scaled=layout.tied),
    )
