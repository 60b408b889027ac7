"""Settings that mean the same, written the same way: for comparing configurations."""

import dataclasses
from typing import Any, TypeVar

from t2t.models.attention import Attention
from t2t.models.definition import ModelConfig
from t2t.models.stack import Stack

Config = TypeVar("Config", bound=ModelConfig)


def canonical(config: Config) -> Config:
    """`config` with defaults as None, and each pattern of local layers as short as can be."""
    stacks: dict[str, Any] = {
        name: _stack(getattr(config, name))
        for name in ("encoder", "decoder")
        if hasattr(config, name)
    }
    return dataclasses.replace(config, **stacks)


def shortest_pattern(local_layers: tuple[bool, ...], num_layers: int) -> tuple[bool, ...]:
    """The shortest pattern that, repeated, is the same for this many layers."""
    layers = [local_layers[layer % len(local_layers)] for layer in range(num_layers)]
    for period in range(1, num_layers):
        if all(layers[i] == layers[i % period] for i in range(num_layers)):
            return tuple(layers[:period])
    return tuple(layers)


def _stack(stack: Stack) -> Stack:
    window, local_layers = stack.window, stack.local_layers
    if window is not None:
        local_layers = shortest_pattern(local_layers, stack.num_layers)
        if isinstance(window, tuple) and window[0] == window[1]:
            window = window[0]
    cross = stack.cross_attention
    return dataclasses.replace(
        stack,
        attention=_attention(stack.attention),
        cross_attention=cross and _attention(cross),
        window=window,
        local_layers=local_layers,
    )


def _attention(attention: Attention) -> Attention:
    kv_heads, scale = attention.num_kv_heads, attention.scale
    return dataclasses.replace(
        attention,
        num_kv_heads=None if kv_heads == attention.num_heads else kv_heads,
        scale=None if scale == attention.head_dim**-0.5 else scale,
    )
