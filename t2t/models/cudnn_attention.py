"""Attention by the fused kernels of NVIDIA's cuDNN, which never store the logits.

They are fastest where the mask is a flag or a length. What they need as a dense array costs
memory and bandwidth as in plain attention: segments of packed rows, prefixes, other conditions,
and windows that are not causal or differ between scanned layers.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from t2t.errors import UserError
from t2t.models.masks import AttentionMask

_CAPABILITY = "8.0"  # Ampere
_HOPPER = "9.0"


def cudnn_attention(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    *,
    mask: AttentionMask | None,
    bias: jax.Array | None,
    scale: float,
    soft_cap: float | None,
    dropout_rate: float,
) -> jax.Array:
    """As `dot_product_attention`, for float16 and bfloat16 on a CUDA device.

    Raises:
      UserError: while tracing, for what cuDNN cannot do or where it is missing.
    """
    check_device()
    _check_settings(query, soft_cap, dropout_rate)
    arguments = cudnn_arguments(query, key, value, mask=mask, bias=bias, scale=scale)
    try:
        out = jax.nn.dot_product_attention(**arguments, implementation="cudnn")
    except (NotImplementedError, RuntimeError) as error:
        raise UserError(
            f"Compute.attention='cudnn': {error} Set Compute.attention='xla'."
        ) from error
    return out[:, : query.shape[1]]


def cudnn_arguments(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    *,
    mask: AttentionMask | None,
    bias: jax.Array | None,
    scale: float,
) -> dict[str, Any]:
    """What `jax.nn.dot_product_attention` is called with.

    Odd lengths become even, as gradients need, by one more query or key at the end. A mask goes
    in as flags and lengths as far as possible, so that the bias, and its gradient, stay
    `[1, heads, q, k]`. Lengths presume that padding is at the end.
    """
    queries, keys = query.shape[1], key.shape[1]
    odd = (queries % 2, keys % 2)
    mask = mask or AttentionMask()
    arguments: dict[str, Any] = {"scale": scale}

    lengths = None
    if mask.key_segments is not None and mask.query_segments is None:
        # A row without any key would have no softmax; nobody reads what it computes.
        lengths = jnp.maximum(jnp.sum(mask.key_segments != 0, axis=1, dtype=jnp.int32), 1)
        mask = dataclasses.replace(mask, key_segments=None)
    elif odd[1]:
        lengths = jnp.full(len(key), keys, jnp.int32)
    arguments["key_value_seq_lengths"] = lengths

    if mask.causal and mask.prefix is None and mask.query_positions is None:
        arguments["is_causal"] = True
        if mask.window is not None and mask.local is None:
            before = mask.window if isinstance(mask.window, int) else mask.window[0]
            arguments["local_window_size"] = (before - 1, 0)
            mask = dataclasses.replace(mask, window=None)
        mask = dataclasses.replace(mask, causal=False)

    dense = mask.dense(queries, keys)
    if dense is not None:
        arguments["mask"] = _pad(dense, odd, (2, 3))
    if bias is not None:
        arguments["bias"] = _pad(bias.astype(query.dtype), odd, (2, 3))
    return arguments | {
        "query": _pad(query, odd[:1], (1,)),
        "key": _pad(key, odd[1:], (1,)),
        "value": _pad(value, odd[1:], (1,)),
    }


def _pad(x: jax.Array, amounts: tuple[int, ...], axes: tuple[int, ...]) -> jax.Array:
    widths = [(0, dict(zip(axes, amounts, strict=True)).get(axis, 0)) for axis in range(x.ndim)]
    return jnp.pad(x, widths) if any(amounts) else x


def check_device() -> None:
    """Raises UserError unless this machine has a GPU that has the kernels."""
    device = jax.local_devices()[0]
    if "cuda" not in device.client.platform_version.lower():
        raise UserError(
            "Compute.attention='cudnn' needs an NVIDIA GPU, but JAX found only "
            f"'{device.platform}'. Set Compute.attention='xla', or install 't2t[cuda]'."
        )
    if _version(device.compute_capability) < _version(_CAPABILITY):
        raise UserError(
            f"Compute.attention='cudnn' needs a GPU of compute capability {_CAPABILITY} (Ampere) "
            f"or later, and this {device.device_kind} has {device.compute_capability}. Set "
            "Compute.attention='xla'."
        )


def _check_settings(query: jax.Array, soft_cap: float | None, dropout_rate: float) -> None:
    if query.dtype not in (jnp.bfloat16, jnp.float16):
        raise _cannot(f"Compute.dtype='{query.dtype}'", "It computes in bfloat16 or float16.")
    if soft_cap is not None:
        raise _cannot(f"Attention.soft_cap={soft_cap}", "It has no such function.")
    if dropout_rate:
        raise _cannot(f"Dropout.attention={dropout_rate}", "JAX gives no access to its dropout.")
    head_dim = query.shape[3]
    hopper = _version(jax.local_devices()[0].compute_capability) >= _version(_HOPPER)
    largest = 256 if hopper else 128
    if head_dim % 8 or head_dim > largest:
        raise _cannot(
            f"Attention.head_dim={head_dim}",
            f"On this GPU it takes multiples of 8 up to {largest}.",
        )


def _cannot(setting: str, why: str) -> UserError:
    return UserError(
        f"Compute.attention='cudnn' does not go with {setting}. {why} Change either, for example "
        "to Compute.attention='xla'."
    )


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
