"""GLM-4: "glm" of transformers, and "glm4", which has norms behind each branch, too.

These are decoders like any other. The GLM of 2022, with blank infilling and two-dimensional
positions (https://arxiv.org/abs/2103.10360), is not part of transformers.
"""

from typing import Any

from t2t.interop import activations
from t2t.interop.canonical import canonical
from t2t.interop.family import Family, HFConfig
from t2t.interop.projections import (
    attention_rules,
    head_dim,
    head_rules,
    our_tokens,
    sizes,
    their_tokens,
    tied_as_stored,
)
from t2t.interop.rotary import our_rope, their_rope
from t2t.interop.sources import Source
from t2t.interop.tables import Rule, Table, linear, norm
from t2t.interop.transforms import Fuse, Transpose
from t2t.models.attention import Attention
from t2t.models.config import Dropout
from t2t.models.decoder_only import DecoderOnly
from t2t.models.feed_forward import FeedForward
from t2t.models.heads import LMHead
from t2t.models.norms import RMSNorm
from t2t.models.residual import PreNorm, SandwichNorm
from t2t.models.stack import Stack

_END = 151329  # <|endoftext|>, the default of transformers
_NORMS = {
    "glm": {
        "self_attention_norm": "input_layernorm",
        "mlp_norm": "post_attention_layernorm",
    },
    "glm4": {
        "self_attention_norm": "input_layernorm",
        "self_attention_post_norm": "post_self_attn_layernorm",
        "mlp_norm": "post_attention_layernorm",
        "mlp_post_norm": "post_mlp_layernorm",
    },
}


class GlmFamily(Family):
    """Half of each head turns, in neighbouring pairs; gate and input of the MLP are one matrix."""

    model_types = ("glm", "glm4")
    config_classes = ("DecoderOnly",)

    def from_hf(self, config: HFConfig) -> DecoderOnly:
        activation = config.choice("hidden_act", activations.OURS, "silu")
        decoder = Stack(
            config["num_hidden_layers"],
            config["hidden_size"],
            Attention(
                config["num_attention_heads"],
                head_dim(config),
                num_kv_heads=config["num_key_value_heads"],
                bias=config.get("attention_bias", True),
            ),
            FeedForward(config["intermediate_size"], (activation, "linear")),
            norm=RMSNorm(config.get("rms_norm_eps", 1.5625e-07)),
            positions=our_rope(config, partial=0.5, interleaved=True),
            placement=SandwichNorm() if config["model_type"] == "glm4" else PreNorm(),
        )
        return canonical(
            DecoderOnly(
                config["vocab_size"],
                decoder,
                head=LMHead(tied=config.get("tie_word_embeddings", False)),
                tokens=our_tokens(config, pad=_END, eos=_END),
                dropout=Dropout(attention=config.get("attention_dropout") or 0.0),
            )
        )

    def with_tensors(self, config: DecoderOnly, source: Source) -> DecoderOnly:
        return tied_as_stored(config, source, "lm_head.weight", "model.embed_tokens.weight")

    def to_hf(self, config: DecoderOnly) -> dict[str, Any]:
        decoder = config.decoder
        kind = _kind(config)
        return {
            "model_type": kind,
            "architectures": [f"{kind.capitalize()}ForCausalLM"],
            "vocab_size": config.vocab_size,
            **sizes(decoder),
            "hidden_act": activations.THEIRS[decoder.feed_forward.activations[0]],
            "attention_bias": decoder.attention.bias,
            "attention_dropout": config.dropout.attention,
            **their_rope(decoder.positions, partial=True),
            "tie_word_embeddings": config.head.tied,
            **their_tokens(config.tokens),
        }

    def table(self, config: DecoderOnly) -> Table:
        ours, theirs = "decoder/layers", "model.layers.{layer}"
        gates = (f"{ours}/mlp/wi_0/kernel", f"{ours}/mlp/wi_1/kernel")
        return Table(
            rules=(
                *head_rules(
                    "lm_head",
                    "model.embed_tokens.weight",
                    ours="token_embedder",
                    tied=config.head.tied,
                ),
                *(
                    rule
                    for name, their_name in _NORMS[_kind(config)].items()
                    for rule in norm(f"{ours}/{name}", f"{theirs}.{their_name}", bias=False)
                ),
                *attention_rules(
                    f"{ours}/self_attention",
                    f"{theirs}.self_attn",
                    bias=config.decoder.attention.bias,
                    out_bias=False,
                ),
                Rule(gates, f"{theirs}.mlp.gate_up_proj.weight", (Fuse(axis=1), Transpose())),
                *linear(f"{ours}/mlp/wo", f"{theirs}.mlp.down_proj", bias=False),
                *norm("decoder/final_norm", "model.norm", bias=False),
            ),
            ignored=(r"model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq",),
            base_prefix="model.",
        )


def _kind(config: DecoderOnly) -> str:
    return "glm4" if isinstance(config.decoder.placement, SandwichNorm) else "glm"


FAMILY = GlmFamily()
