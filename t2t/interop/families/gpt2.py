"""GPT-2: norms before residual branches, learned positions, queries, keys and values in one."""

from typing import Any

from t2t.errors import UserError
from t2t.interop import activations
from t2t.interop.family import Family, HFConfig
from t2t.interop.projections import our_tokens, their_tokens, tied_as_stored
from t2t.interop.sources import Source
from t2t.interop.tables import Rule, Table, linear, norm
from t2t.interop.transforms import Fuse
from t2t.models.attention import Attention
from t2t.models.config import Dropout
from t2t.models.decoder_only import DecoderOnly
from t2t.models.feed_forward import FeedForward
from t2t.models.heads import LMHead
from t2t.models.initializers import NormalInit
from t2t.models.norms import LayerNorm
from t2t.models.positions import LearnedPositions
from t2t.models.stack import Stack

_ARCHITECTURES = ("GPT2LMHeadModel", "GPT2Model")
_LAYERS = "decoder/layers"
_THEIRS = "transformer.h.{layer}"


class GPT2Family(Family):
    """GPT2LMHeadModel, and GPT2Model, whose head is then the table of tokens.

    `reorder_and_upcast_attn` may have either value: softmax is always in float32.
    """

    model_types = ("gpt2",)
    config_classes = ("DecoderOnly",)

    def from_hf(self, config: HFConfig) -> DecoderOnly:
        listed = config.get("architectures") or _ARCHITECTURES
        if not set(listed) & set(_ARCHITECTURES):
            raise UserError(
                f"{config.where} is of a {' and a '.join(listed)}, whose head is not supported; "
                f"only {' and '.join(_ARCHITECTURES)} are."
            )
        config.must_be("add_cross_attention", False)
        config.must_be("scale_attn_by_inverse_layer_idx", False)
        width, num_heads = config["n_embd"], config["n_head"]
        if width % num_heads:
            raise UserError(
                f"{config.where} sets n_embd = {width}, which is not a multiple of n_head = "
                f"{num_heads}."
            )
        activation = config.choice("activation_function", activations.OURS, "gelu_new")
        decoder = Stack(
            config["n_layer"],
            width,
            Attention(
                num_heads,
                width // num_heads,
                scale=None if config.get("scale_attn_weights", True) else 1.0,
                bias=True,
                out_bias=True,
            ),
            FeedForward(config.get("n_inner") or 4 * width, (activation,), bias=True),
            norm=LayerNorm(config.get("layer_norm_epsilon", 1e-5)),
            positions=LearnedPositions(config["n_positions"]),
        )
        return DecoderOnly(
            config["vocab_size"],
            decoder,
            head=LMHead(tied=config.get("tie_word_embeddings", True)),
            tokens=our_tokens(config, bos=50256, eos=50256),
            init=NormalInit(config.get("initializer_range", 0.02), scaled_residual=True),
            dropout=Dropout(
                embedding=config.get("embd_pdrop", 0.1),
                attention=config.get("attn_pdrop", 0.1),
                residual=config.get("resid_pdrop", 0.1),
            ),
        )

    def with_tensors(self, config: DecoderOnly, source: Source) -> DecoderOnly:
        return tied_as_stored(config, source, "lm_head.weight", "transformer.wte.weight")

    def to_hf(self, config: DecoderOnly) -> dict[str, Any]:
        decoder, dropout = config.decoder, config.dropout
        if not isinstance(decoder.positions, LearnedPositions):
            raise UserError("it has learned positions only")
        activation, *others = decoder.feed_forward.activations
        if others or activation not in activations.THEIRS:
            raise UserError(
                f"it has no place for decoder.feed_forward.activations = "
                f"{decoder.feed_forward.activations}"
            )
        return {
            "model_type": "gpt2",
            "architectures": ["GPT2LMHeadModel"],
            "vocab_size": config.vocab_size,
            "n_positions": decoder.positions.max_length,
            "n_embd": decoder.d_model,
            "n_layer": decoder.num_layers,
            "n_head": decoder.attention.num_heads,
            "n_inner": decoder.feed_forward.d_ff,
            "activation_function": activations.THEIRS[activation],
            "layer_norm_epsilon": decoder.norm.epsilon,
            "initializer_range": (
                config.init.stddev if isinstance(config.init, NormalInit) else 0.02
            ),
            "scale_attn_weights": decoder.attention.scale is None,
            "tie_word_embeddings": config.head.tied,
            "embd_pdrop": dropout.embedding,
            "attn_pdrop": dropout.attention,
            "resid_pdrop": dropout.residual,
            **their_tokens(config.tokens),
        }

    def table(self, config: DecoderOnly) -> Table:
        attention = f"{_LAYERS}/self_attention"
        kernels, biases = (
            tuple(f"{attention}/{name}/{leaf}" for name in ("query", "key", "value"))
            for leaf in ("kernel", "bias")
        )
        embedding = Rule(
            "token_embedder/embedding",
            "transformer.wte.weight",
            also=("lm_head.weight",) if config.head.tied else (),
        )
        return Table(
            rules=(
                embedding,
                Rule("decoder/positions/embedding", "transformer.wpe.weight"),
                *norm(f"{_LAYERS}/self_attention_norm", f"{_THEIRS}.ln_1", bias=True),
                Rule(kernels, f"{_THEIRS}.attn.c_attn.weight", (Fuse(axis=1),)),
                Rule(biases, f"{_THEIRS}.attn.c_attn.bias", (Fuse(axis=0),)),
                *_conv1d(f"{attention}/out", f"{_THEIRS}.attn.c_proj"),
                *norm(f"{_LAYERS}/mlp_norm", f"{_THEIRS}.ln_2", bias=True),
                *_conv1d(f"{_LAYERS}/mlp/wi", f"{_THEIRS}.mlp.c_fc"),
                *_conv1d(f"{_LAYERS}/mlp/wo", f"{_THEIRS}.mlp.c_proj"),
                *norm("decoder/final_norm", "transformer.ln_f", bias=True),
                *(() if config.head.tied else linear("lm_head", "lm_head", bias=False)),
            ),
            ignored=(r"transformer\.h\.\d+\.attn\.(bias|masked_bias)",),  # causal masks
            base_prefix="transformer.",
        )


def _conv1d(ours: str, theirs: str) -> tuple[Rule, ...]:
    """A dense layer of ours, and a Conv1D of theirs, whose `weight` is [in, out], too."""
    return Rule(f"{ours}/kernel", f"{theirs}.weight"), Rule(f"{ours}/bias", f"{theirs}.bias")


FAMILY = GPT2Family()
