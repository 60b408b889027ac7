"""T5Gemma (https://arxiv.org/abs/2504.06225): Gemma 2's layers in an encoder and a decoder."""

import dataclasses
from typing import Any

from t2t.errors import UserError
from t2t.interop import activations
from t2t.interop.canonical import canonical
from t2t.interop.family import Family, HFConfig
from t2t.interop.projections import (
    attention_rules,
    gated_rules,
    head_dim,
    head_rules,
    is_tied,
    our_tokens,
    sizes,
    their_tokens,
)
from t2t.interop.rotary import our_rope, their_rope
from t2t.interop.sources import Source
from t2t.interop.tables import Rule, Table, norm
from t2t.models.attention import Attention
from t2t.models.config import Dropout
from t2t.models.embedding import Embedding
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.models.feed_forward import FeedForward
from t2t.models.heads import LMHead
from t2t.models.initializers import NormalInit
from t2t.models.norms import RMSNorm
from t2t.models.residual import SandwichNorm
from t2t.models.stack import Stack

_HEAD, _TABLE = "lm_head.out_proj", "model.decoder.embed_tokens.weight"
_ACTIVATIONS = {**activations.THEIRS, "gelu_tanh": "gelu_pytorch_tanh"}
_BRANCHES = {
    "self_attention": ("self_attn", "self_attn_layernorm"),
    "cross_attention": ("cross_attn", "cross_attn_layernorm"),
    "mlp": ("mlp", "feedforward_layernorm"),
}
_LOCAL, _GLOBAL = "sliding_attention", "full_attention"


class T5GemmaFamily(Family):
    """Each side has a config of its own; the head is tied to the decoder's table of tokens.

    Tables of the two sides are two, also where their values are equal. Cross-attention has the
    heads of the decoder's self-attention, is not rotated and sees no window.
    """

    model_types = ("t5gemma",)
    config_classes = ("EncoderDecoder",)

    def from_hf(self, config: HFConfig) -> EncoderDecoder:
        sides = {
            name: HFConfig({**config[name], "model_type": "t5gemma"}, f"'{name}' of {config.where}")
            for name in ("encoder", "decoder")
        }
        decoder = sides["decoder"]
        vocab_size = decoder.get("vocab_size", 256000)
        if sides["encoder"].get("vocab_size", 256000) != vocab_size:
            raise UserError(
                f"{config.where} has another vocab_size in 'encoder' than in 'decoder', "
                f"{vocab_size}; one for both is supported."
            )
        rate = config.get("dropout_rate") or 0.0
        return canonical(
            EncoderDecoder(
                vocab_size,
                _our_stack(sides["encoder"], is_decoder=False),
                _our_stack(decoder, is_decoder=True),
                head=LMHead(
                    tied=config.get("tie_word_embeddings", True),
                    soft_cap=decoder.get("final_logit_softcapping", 30.0),
                ),
                share_embeddings=False,
                tokens=our_tokens(decoder, pad=0, eos=1, bos=2),
                init=NormalInit(decoder.get("initializer_range", 0.02)),
                dropout=Dropout(
                    embedding=rate,
                    attention=config.get("attention_dropout") or 0.0,
                    hidden=rate,
                    residual=rate,
                    final=rate,
                    head=config.get("classifier_dropout_rate") or 0.0,
                ),
            )
        )

    def with_tensors(self, config: EncoderDecoder, source: Source) -> EncoderDecoder:
        tied = config.head.tied and is_tied(source, f"{_HEAD}.weight", _TABLE)
        return dataclasses.replace(config, head=dataclasses.replace(config.head, tied=tied))

    def to_hf(self, config: EncoderDecoder) -> dict[str, Any]:
        ids = {**their_tokens(config.tokens), "vocab_size": config.vocab_size}
        common = {
            **ids,
            "tie_word_embeddings": config.head.tied,
            "attention_dropout": config.dropout.attention,
            "dropout_rate": config.dropout.residual,
            "initializer_range": getattr(config.init, "stddev", 0.02),
        }
        sides = {
            name: {
                "model_type": "t5_gemma_module",
                **common,
                "final_logit_softcapping": config.head.soft_cap,
                "is_decoder": name == "decoder",
                **_their_stack(getattr(config, name), name),
            }
            for name in ("encoder", "decoder")
        }
        sides["decoder"]["cross_attention_hidden_size"] = config.encoder.d_model
        return {
            "model_type": "t5gemma",
            "architectures": ["T5GemmaForConditionalGeneration"],
            "is_encoder_decoder": True,
            **common,
            "classifier_dropout_rate": config.dropout.head,
            **sides,
        }

    def table(self, config: EncoderDecoder) -> Table:
        head = head_rules(_HEAD, _TABLE, ours="decoder_token_embedder", tied=config.head.tied)
        sides = {"encoder": config.encoder, "decoder": config.decoder}
        return Table(
            rules=(
                Rule("encoder_token_embedder/embedding", "model.encoder.embed_tokens.weight"),
                *head,
                *(rule for side, stack in sides.items() for rule in _stack_rules(side, stack)),
            ),
            base_prefix="model.",
        )


def _our_stack(config: HFConfig, *, is_decoder: bool) -> Stack:
    bias = config.get("attention_bias", False)
    attention = Attention(
        config["num_attention_heads"],
        head_dim(config),
        num_kv_heads=config["num_key_value_heads"],
        scale=config.get("query_pre_attn_scalar", 256) ** -0.5,
        bias=bias,
        out_bias=bias,
        soft_cap=config.get("attn_logit_softcapping", 50.0),
    )
    activation = config.choice("hidden_activation", activations.OURS, "gelu_pytorch_tanh")
    depth = config["num_hidden_layers"]
    local = _local_layers(config, depth)
    width = config.get("sliding_window", 4096) if any(local) else None
    if width is not None and not is_decoder:
        width += 1  # the encoder sees keys up to this far away, the decoder less far
    return Stack(
        depth,
        config["hidden_size"],
        attention,
        FeedForward(config["intermediate_size"], (activation, "linear")),
        norm=RMSNorm(config.get("rms_norm_eps", 1e-6), offset=1.0),
        positions=our_rope(config),
        placement=SandwichNorm(),
        cross_attention=attention if is_decoder else None,
        embedding=Embedding(scaled=True),
        window=width,
        local_layers=(True,) if width is None else local,
    )


def _local_layers(config: HFConfig, depth: int) -> tuple[bool, ...]:
    """Which layers see a window: by default the first, the third, ..."""
    kinds = config.get("layer_types") or [_LOCAL, _GLOBAL] * depth
    unknown = set(kinds) - {_LOCAL, _GLOBAL}
    if unknown:
        raise UserError(
            f"{config.where} has layer_types {', '.join(sorted(unknown))}; only '{_LOCAL}' and "
            f"'{_GLOBAL}' are supported."
        )
    if len(kinds) < depth:
        raise UserError(f"{config.where} has {len(kinds)} layer_types for {depth} layers.")
    return tuple(kind == _LOCAL for kind in kinds[:depth])


def _their_stack(stack: Stack, side: str) -> dict[str, Any]:
    attention, window, depth = stack.attention, stack.window, stack.num_layers
    if isinstance(window, tuple):
        raise UserError(f"it has no place for {side}.window = {window} (only one number)")
    local = (False,) if window is None else stack.local_layers
    kinds = [_LOCAL if local[i % len(local)] else _GLOBAL for i in range(depth)]
    if window is not None and side == "encoder":
        window -= 1
    return {
        **sizes(stack),
        "hidden_activation": _ACTIVATIONS[stack.feed_forward.activations[0]],
        "attention_bias": attention.bias,
        "query_pre_attn_scalar": round(attention.logit_scale**-2),
        "attn_logit_softcapping": attention.soft_cap,
        "sliding_window": 4096 if window is None else window,  # transformers wants a number
        "layer_types": kinds,
        **their_rope(stack.positions),
    }


def _stack_rules(side: str, stack: Stack) -> tuple[Rule, ...]:
    rules = list(norm(f"{side}/final_norm", f"model.{side}.norm", bias=False))
    for branch in stack.branches:
        module, their_norm = _BRANCHES[branch]
        ours, theirs = f"{side}/layers/{branch}", f"model.{side}.layers.{{layer}}"
        rules += norm(f"{ours}_norm", f"{theirs}.pre_{their_norm}", bias=False)
        rules += norm(f"{ours}_post_norm", f"{theirs}.post_{their_norm}", bias=False)
        if branch == "mlp":
            rules += gated_rules(ours, f"{theirs}.{module}", bias=False)
        else:
            bias, out_bias = stack.attention.bias, stack.attention.out_bias
            rules += attention_rules(ours, f"{theirs}.{module}", bias=bias, out_bias=out_bias)
    return tuple(rules)


FAMILY = T5GemmaFamily()
