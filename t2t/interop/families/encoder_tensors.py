"""Tensors of encoders at Hugging Face, but for those of their heads."""

from collections.abc import Iterator, Mapping

from t2t.interop.tables import Rule, linear, norm
from t2t.models.embedding import Embedding

LAYER = "encoder.layer.{layer}."
LAYERS = {
    "self_attention/query": LAYER + "attention.self.query",
    "self_attention/key": LAYER + "attention.self.key",
    "self_attention/value": LAYER + "attention.self.value",
    "self_attention/out": LAYER + "attention.output.dense",
    "self_attention_norm": LAYER + "attention.output.LayerNorm",
    "mlp/wi": LAYER + "intermediate.dense",
    "mlp/wo": LAYER + "output.dense",
    "mlp_norm": LAYER + "output.LayerNorm",
}
"""Names of a layer's parts, by ours; ALBERT alone has others."""

WORDS = "embeddings.word_embeddings.weight"
IGNORED = (r".*embeddings\.(position|token_type)_ids",)  # buffers that old versions wrote
RENAMES = ((r"LayerNorm\.gamma$", "LayerNorm.weight"), (r"LayerNorm\.beta$", "LayerNorm.bias"))


def embedding_rules(
    base: str, embedding: Embedding, projection: str, also: tuple[str, ...]
) -> Iterator[Rule]:
    """Those of tokens, positions, token types.

    Args:
      base: what names begin with.
      embedding: ours.
      projection: name of the layer behind it, without `base`.
      also: other names of the table of tokens.
    """
    yield Rule("token_embedder/embedding", f"{base}{WORDS}", also=also)
    for ours, theirs in {"positions": "position", "embedding/token_types": "token_type"}.items():
        name = f"{base}embeddings.{theirs}_embeddings.weight"
        yield Rule(f"encoder/{ours}/embedding", name)
    yield from norm("encoder/embedding/norm", f"{base}embeddings.LayerNorm", bias=True)
    if embedding.size:
        yield from linear("encoder/embedding/projection", f"{base}{projection}", bias=True)


def layer_rules(base: str, layers: Mapping[str, str]) -> Iterator[Rule]:
    """Those of all layers."""
    for ours, theirs in layers.items():
        rules = norm if ours.endswith("norm") else linear
        yield from rules(f"encoder/layers/{ours}", f"{base}{theirs}", bias=True)
