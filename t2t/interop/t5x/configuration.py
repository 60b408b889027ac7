"""The configuration of the T5 that a T5X checkpoint holds."""

from t2t.errors import UserError
from t2t.interop.t5x.layout import Layout
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.models.presets import t5

_GATED = ("gelu_tanh", "linear")  # T5 1.1, mT5, ByT5, umT5: https://arxiv.org/abs/2002.05202
_PLAIN = ("relu",)  # T5 1.0: https://arxiv.org/abs/1910.10683


def model_config(layout: Layout, activations: tuple[str, ...] | None = None) -> EncoderDecoder:
    """The model of `layout`: sizes are in the shapes, the rest is what T5X's T5 does.

    Args:
      layout: of the checkpoint.
      activations: of the feed-forward layers; None for T5 1.1's if gated, else T5 1.0's.

    Raises:
      UserError: if the number of activations is not that of the feed-forward branches.
    """
    activations = activations or (_GATED if layout.gated else _PLAIN)
    branches = 1 + layout.gated
    if len(activations) != branches:
        raise UserError(
            f"The checkpoint's feed-forward layers have {branches} input kernel"
            f"{'s' if branches > 1 else ''}, so activations {activations} do not fit."
        )
    sizes = layout.sizes
    return t5(
        vocab_size=sizes["vocab"],
        d_model=sizes["embed"],
        d_ff=sizes["mlp"],
        num_heads=sizes["heads"],
        head_dim=sizes["joined"] // sizes["heads"],
        num_encoder_layers=sizes["encoder_layers"],
        num_decoder_layers=sizes["decoder_layers"],
        activations=activations,
        tied=layout.tied,
        num_buckets=sizes["buckets"],
        per_layer_bias=layout.positions_per_layer,
    )
