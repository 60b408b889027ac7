"""Rules, names and settings that LLaMA and its descendants have in common."""

import dataclasses
from typing import Any

import numpy as np

from t2t.errors import UserError
from t2t.interop.family import HFConfig
from t2t.interop.sources import Source
from t2t.interop.tables import Rule, linear
from t2t.models.config import SpecialTokens
from t2t.models.decoder_only import DecoderOnly
from t2t.models.stack import Stack

_START = "decoder_start_token_id"  # only if it is not bos


def attention_rules(ours: str, theirs: str, *, bias: bool, out_bias: bool) -> tuple[Rule, ...]:
    """Projections `q_proj`, `k_proj`, `v_proj`, `o_proj`."""
    return (
        *linear(f"{ours}/query", f"{theirs}.q_proj", bias=bias),
        *linear(f"{ours}/key", f"{theirs}.k_proj", bias=bias),
        *linear(f"{ours}/value", f"{theirs}.v_proj", bias=bias),
        *linear(f"{ours}/out", f"{theirs}.o_proj", bias=out_bias),
    )


def gated_rules(ours: str, theirs: str, *, bias: bool) -> tuple[Rule, ...]:
    """Projections `gate_proj` (the activated one), `up_proj`, `down_proj`."""
    return (
        *linear(f"{ours}/wi_0", f"{theirs}.gate_proj", bias=bias),
        *linear(f"{ours}/wi_1", f"{theirs}.up_proj", bias=bias),
        *linear(f"{ours}/wo", f"{theirs}.down_proj", bias=bias),
    )


def head_rules(head: str, table: str, *, ours: str, tied: bool) -> tuple[Rule, ...]:
    """The table of tokens `ours` and, if that is another matrix, the head."""
    if tied:
        return (Rule(f"{ours}/embedding", table, also=(f"{head}.weight",)),)
    return (Rule(f"{ours}/embedding", table), *linear("lm_head", head, bias=False))


def is_tied(source: Source, head: str, table: str) -> bool:
    """Whether a head that config.json calls tied is: not if files have another matrix for it.

    transformers 5 decides so, too.
    """
    names = source.tensors
    if head not in names or table not in names:
        return True
    return np.array_equal(source.read(head), source.read(table))


def tied_as_stored(config: DecoderOnly, source: Source, head: str, table: str) -> DecoderOnly:
    """`config` with a head of its own if config.json calls it tied, but `is_tied` does not."""
    tied = config.head.tied and is_tied(source, head, table)
    return dataclasses.replace(config, head=dataclasses.replace(config.head, tied=tied))


def our_tokens(config: HFConfig, **defaults: int | None) -> SpecialTokens:
    """Ids of a decoder, which starts with `bos`; of several that end a text, the first."""
    ids = {
        name: config.token_id(f"{name}_token_id", defaults.get(name))
        for name in ("pad", "eos", "bos")
    }
    start = config.get(_START)
    return SpecialTokens(**ids, start=start if start is not None else ids["bos"] or 0)


def their_tokens(tokens: SpecialTokens) -> dict[str, int | None]:
    """The opposite of `our_tokens`."""
    ids = {f"{name}_token_id": getattr(tokens, name) for name in ("pad", "eos", "bos")}
    return ids if tokens.start == (tokens.bos or 0) else {**ids, _START: tokens.start}


def sizes(stack: Stack) -> dict[str, Any]:
    """Settings of config.json by which all of these models name the sizes of a stack.

    Raises:
      UserError: if transformers refuses them.
    """
    heads = stack.attention.num_heads
    if stack.d_model % heads:
        raise UserError(
            f"its d_model must be a multiple of num_heads, but {stack.d_model} is not one of "
            f"{heads}"
        )
    return {
        "hidden_size": stack.d_model,
        "intermediate_size": stack.feed_forward.d_ff,
        "num_hidden_layers": stack.num_layers,
        "num_attention_heads": heads,
        "num_key_value_heads": stack.attention.kv_heads,
        "head_dim": stack.attention.head_dim,
        "rms_norm_eps": stack.norm.epsilon,
    }


def head_dim(config: HFConfig) -> int:
    """`head_dim`, or the width shared out among the heads."""
    return config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
