"""LLaMA 1 to 3, and what has its architecture."""

from typing import Any

from t2t.interop import activations
from t2t.interop.canonical import canonical
from t2t.interop.family import Family, HFConfig
from t2t.interop.projections import (
    attention_rules,
    gated_rules,
    head_dim,
    head_rules,
    our_tokens,
    sizes,
    their_tokens,
    tied_as_stored,
)
from t2t.interop.rotary import our_rope, their_rope
from t2t.interop.sources import Source
from t2t.interop.tables import Table, norm
from t2t.models.attention import Attention
from t2t.models.config import Dropout
from t2t.models.decoder_only import DecoderOnly
from t2t.models.feed_forward import FeedForward
from t2t.models.heads import LMHead
from t2t.models.norms import RMSNorm
from t2t.models.stack import Stack


class LlamaFamily(Family):
    """RMS norms in front, gated feed-forward layers, rotary positions, grouped heads."""

    model_types = ("llama",)
    config_classes = ("DecoderOnly",)

    def from_hf(self, config: HFConfig) -> DecoderOnly:
        bias = config.get("attention_bias", False)
        activation = config.choice("hidden_act", activations.OURS, "silu")
        decoder = Stack(
            config["num_hidden_layers"],
            config["hidden_size"],
            Attention(
                config["num_attention_heads"],
                head_dim(config),
                num_kv_heads=config.get("num_key_value_heads"),
                bias=bias,
                out_bias=bias,
            ),
            FeedForward(
                config["intermediate_size"],
                (activation, "linear"),
                bias=config.get("mlp_bias", False),
            ),
            norm=RMSNorm(config.get("rms_norm_eps", 1e-6)),
            positions=our_rope(config),
        )
        return canonical(
            DecoderOnly(
                config["vocab_size"],
                decoder,
                head=LMHead(tied=config.get("tie_word_embeddings", False)),
                tokens=our_tokens(config, bos=1, eos=2),
                dropout=Dropout(attention=config.get("attention_dropout") or 0.0),
            )
        )

    def with_tensors(self, config: DecoderOnly, source: Source) -> DecoderOnly:
        return tied_as_stored(config, source, "lm_head.weight", "model.embed_tokens.weight")

    def to_hf(self, config: DecoderOnly) -> dict[str, Any]:
        decoder = config.decoder
        return {
            "model_type": "llama",
            "architectures": ["LlamaForCausalLM"],
            "vocab_size": config.vocab_size,
            **sizes(decoder),
            "hidden_act": activations.THEIRS[decoder.feed_forward.activations[0]],
            "attention_bias": decoder.attention.bias,
            "mlp_bias": decoder.feed_forward.bias,
            "attention_dropout": config.dropout.attention,
            **their_rope(decoder.positions),
            "tie_word_embeddings": config.head.tied,
            **their_tokens(config.tokens),
        }

    def table(self, config: DecoderOnly) -> Table:
        attention, mlp = config.decoder.attention, config.decoder.feed_forward
        ours, theirs = "decoder/layers", "model.layers.{layer}"
        return Table(
            rules=(
                *head_rules(
                    "lm_head",
                    "model.embed_tokens.weight",
                    ours="token_embedder",
                    tied=config.head.tied,
                ),
                *norm(f"{ours}/self_attention_norm", f"{theirs}.input_layernorm", bias=False),
                *attention_rules(
                    f"{ours}/self_attention",
                    f"{theirs}.self_attn",
                    bias=attention.bias,
                    out_bias=attention.out_bias,
                ),
                *norm(f"{ours}/mlp_norm", f"{theirs}.post_attention_layernorm", bias=False),
                *gated_rules(f"{ours}/mlp", f"{theirs}.mlp", bias=mlp.bias),
                *norm("decoder/final_norm", "model.norm", bias=False),
            ),
            ignored=(r"model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq",),  # older files
            base_prefix="model.",
        )


FAMILY = LlamaFamily()
