"""A tiny table that has every kind of rule, and a model that fits it."""

import numpy as np

from t2t.interop.tables import Constant, Rule, Table, linear, norm
from t2t.interop.transforms import Fuse, Pad, Split, Transpose

QKV = tuple(f"decoder/layers/self_attention/{name}/kernel" for name in ("query", "key", "value"))
TABLE = Table(
    rules=(
        Rule("token_embedder/embedding", "base.wte.weight", (Pad(after=2),), also=("head.weight",)),
        Rule("decoder/positions/embedding", ("base.low", "base.high"), (Split(0, (1, 3)),)),
        Rule(QKV, "base.h.{layer}.attn.weight", (Fuse(axis=1), Transpose())),
        *linear("decoder/layers/mlp/wo", "base.h.{layer}.mlp", bias=True),
        *norm("decoder/final_norm", "base.ln_f", bias=False),
        Rule("lm_head/bias", "bias", absent=0.0),
    ),
    constants=(Constant("zeros", (1, 2)),),
    ignored=(r"base\.h\.\d+\.mask",),
    renames=((r"\.gamma$", ".weight"),),
    base_prefix="base.",
)
SHAPES = {
    "token_embedder/embedding": (5, 4),
    "decoder/positions/embedding": (4, 4),
    **dict(zip(QKV, [(3, 4, 6), (3, 4, 2), (3, 4, 2)], strict=True)),
    "decoder/layers/mlp/wo/kernel": (3, 7, 4),
    "decoder/layers/mlp/wo/bias": (3, 4),
    "decoder/final_norm/scale": (4,),
    "lm_head/bias": (5,),
}


def params(seed=0):
    """Flat, by path."""
    rng = np.random.default_rng(seed)
    return {path: rng.normal(size=shape).astype(np.float32) for path, shape in SHAPES.items()}
