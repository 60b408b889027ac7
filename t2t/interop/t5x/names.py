"""T5X's names of parameters and ours, with the axes of each array.

T5X has the layers of a stack either one by one (`encoder/layers_0/…`) or scanned
(`encoder/encoder/…`), with one more axis for the layer. Ours are always stacked.
"""

import re
from typing import NamedTuple


class Entry(NamedTuple):
    """One parameter.

    Attributes:
      ours: its path, below the stack's "layers" if it belongs to a layer.
      axes: names of the axes of our array of one layer. T5X may keep "joined" (all heads of an
        attention) as two: heads, and units of each.
    """

    ours: str
    axes: tuple[str, ...]


def _attention(theirs: str, ours: str) -> dict[str, Entry]:
    inwards = {
        f"{theirs}/{name}/kernel": Entry(f"{ours}/{name}/kernel", ("embed", "joined"))
        for name in ("query", "key", "value")
    }
    return {**inwards, f"{theirs}/out/kernel": Entry(f"{ours}/out/kernel", ("joined", "embed"))}


def _norm(ours: str) -> Entry:
    return Entry(f"{ours}/scale", ("embed",))


MODEL = {
    "token_embedder/embedding": Entry("token_embedder/embedding", ("vocab", "embed")),
    "encoder/relpos_bias/rel_embedding": Entry(
        "encoder/positions/rel_embedding", ("heads", "buckets")
    ),
    "decoder/relpos_bias/rel_embedding": Entry(
        "decoder/positions/rel_embedding", ("heads", "buckets")
    ),
    "encoder/encoder_norm/scale": _norm("encoder/final_norm"),
    "decoder/decoder_norm/scale": _norm("decoder/final_norm"),
    "decoder/logits_dense/kernel": Entry("lm_head/kernel", ("embed", "vocab")),
}
_FEED_FORWARD = {
    "mlp/wi/kernel": Entry("mlp/wi/kernel", ("embed", "mlp")),
    "mlp/wi_0/kernel": Entry("mlp/wi_0/kernel", ("embed", "mlp")),
    "mlp/wi_1/kernel": Entry("mlp/wi_1/kernel", ("embed", "mlp")),
    "mlp/wo/kernel": Entry("mlp/wo/kernel", ("mlp", "embed")),
}
_POSITIONS = {
    "relpos_bias/rel_embedding": Entry("positions/rel_embedding", ("heads", "buckets")),
}
LAYERS = {
    "encoder": {
        **_attention("attention", "self_attention"),
        "pre_attention_layer_norm/scale": _norm("self_attention_norm"),
        "pre_mlp_layer_norm/scale": _norm("mlp_norm"),
        **_FEED_FORWARD,
        **_POSITIONS,
    },
    "decoder": {
        **_attention("self_attention", "self_attention"),
        **_attention("encoder_decoder_attention", "cross_attention"),
        "pre_self_attention_layer_norm/scale": _norm("self_attention_norm"),
        "pre_cross_attention_layer_norm/scale": _norm("cross_attention_norm"),
        "pre_mlp_layer_norm/scale": _norm("mlp_norm"),
        **_FEED_FORWARD,
        **_POSITIONS,
    },
}


class Place(NamedTuple):
    """Where an array of T5X's belongs.

    Attributes:
      ours: full path in our parameters.
      axes: as of `Entry`.
      stack: "encoder" or "decoder" if it belongs to their layers, else None.
      layer: which layer; None for all of them, scanned.
    """

    ours: str
    axes: tuple[str, ...]
    stack: str | None = None
    layer: int | None = None

    @property
    def scanned(self) -> bool:
        """Whether one of the array's axes is the layer."""
        return self.stack is not None and self.layer is None


_IN_LAYER = re.compile(
    r"(?P<stack>encoder|decoder)/(?:layers_(?P<layer>\d+)|(?P=stack))/(?P<rest>.+)"
)


def place_of(name: str) -> Place | None:
    """The place of T5X's parameter `name`; None if a T5 has no such parameter."""
    if entry := MODEL.get(name):
        return Place(*entry)
    match = _IN_LAYER.fullmatch(name)
    entry = LAYERS[match["stack"]].get(match["rest"]) if match else None
    if not match or not entry:
        return None
    layer = int(match["layer"]) if match["layer"] else None
    return Place(f"{match['stack']}/layers/{entry.ours}", entry.axes, match["stack"], layer)
