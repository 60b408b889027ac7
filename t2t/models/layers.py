"""Embedding, dense, feed-forward, normalisation and dropout layers.

Kernels are stored 2-D, `[in, out]`, and multiplied as `x.reshape(-1, in) @ w`: faster on CPU than
contractions over 3-D operands, and factored by Adafactor as in T5.
"""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from flax import nnx

Initializer = Callable[[jax.Array, Sequence[int], jnp.dtype], jax.Array]
FAN_IN_NORMAL = jax.nn.initializers.variance_scaling(1.0, "fan_in", "normal")
FAN_IN_TRUNCATED = jax.nn.initializers.variance_scaling(1.0, "fan_in", "truncated_normal")


def param(
    init: Initializer, key: jax.Array, shape: Sequence[int], axes: Sequence[str]
) -> nnx.Param:
    """A float32 parameter whose dimensions have the logical names `axes`."""
    return nnx.Param(init(key, tuple(shape), jnp.float32), out_sharding=tuple(axes))


class Dense(nnx.Module):
    """`x @ kernel`, without bias, as everywhere in T5."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        axes: tuple[str, str],
        *,
        key: jax.Array,
        init: Initializer = FAN_IN_TRUNCATED,
    ):
        self.kernel = param(init, key, (in_features, out_features), axes)

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[..., in]` -> `[..., out]`, in the dtype of `x`."""
        kernel = self.kernel[...].astype(x.dtype)
        return (x.reshape(-1, x.shape[-1]) @ kernel).reshape(*x.shape[:-1], -1)


class RMSNorm(nnx.Module):
    """Divides by the root mean square and scales; no mean, no bias (https://arxiv.org/abs/1910.07467)."""

    def __init__(self, features: int, *, epsilon: float):
        self._epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((features,), jnp.float32), out_sharding=("norm",))

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[batch, length, d_model]`, computed in float32, returned in the dtype of `x`."""
        wide = x.astype(jnp.float32)
        mean_square = jnp.mean(jnp.square(wide), axis=-1, keepdims=True)
        wide = wide * jax.lax.rsqrt(mean_square + self._epsilon)
        return (wide * self.scale[...][None, None, :]).astype(x.dtype)


class Embedding(nnx.Module):
    """Token embeddings `[vocab_size, d_model]`."""

    def __init__(self, vocab_size: int, d_model: int, *, key: jax.Array):
        init = jax.nn.initializers.normal(1.0)
        self.embedding = param(init, key, (vocab_size, d_model), ("vocab", "embed"))

    def __call__(self, tokens: jax.Array, dtype: jnp.dtype) -> jax.Array:
        """int `[batch, length]` -> `[batch, length, d_model]`."""
        return self.embedding[...].astype(dtype)[tokens]

    def attend(self, x: jax.Array) -> jax.Array:
        """Logits `[..., vocab_size]` from the same table, scaled by d_model ** -0.5."""
        table = self.embedding[...].astype(x.dtype)
        flat = x.reshape(-1, x.shape[-1]) * (x.shape[-1] ** -0.5)
        return (flat @ table.T).reshape(*x.shape[:-1], -1)


class FeedForward(nnx.Module):
    """`wo(act_0(wi_0 x) * act_1(wi_1 x) ...)`; one activation is T5 1.0, two are gated (1.1)."""

    def __init__(
        self,
        d_model: int,
        d_ff: int,
        activations: Sequence[str],
        *,
        dropout_rate: float,
        key: jax.Array,
    ):
        self._activations = tuple(activations)
        self._dropout_rate = dropout_rate
        *ins, out = jax.random.split(key, len(activations) + 1)
        for name, k in zip(self._branches(), ins, strict=True):
            setattr(self, name, Dense(d_model, d_ff, ("embed", "mlp"), key=k))
        self.wo = Dense(d_ff, d_model, ("mlp", "embed"), key=out)

    def __call__(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        """`[batch, length, d_model]` -> the same; `key` is for dropout, None for none."""
        hidden = functools.reduce(
            jnp.multiply,
            [
                _ACTIVATIONS[activation](getattr(self, name)(x))
                for name, activation in zip(self._branches(), self._activations, strict=True)
            ],
        )
        return self.wo(dropout(hidden, self._dropout_rate, key))

    def _branches(self) -> list[str]:
        count = len(self._activations)
        return ["wi"] if count == 1 else [f"wi_{i}" for i in range(count)]


def _gelu_tanh(x: jax.Array) -> jax.Array:
    return jax.nn.gelu(x, approximate=True)  # "gelu_new" of the released T5 1.1


_ACTIVATIONS = {
    "relu": jax.nn.relu,
    "gelu": _gelu_tanh,
    "silu": jax.nn.silu,
    "linear": lambda x: x,
}


def dropout(
    x: jax.Array, rate: float, key: jax.Array | None, *, shared_over_length: bool = True
) -> jax.Array:
    """Zeroes with probability `rate`; without a key, or at rate 0, returns `x`.

    With `shared_over_length` one mask serves all positions along axis -2, as in Mesh T5.
    """
    if key is None or rate == 0.0:
        return x
    shape = (*x.shape[:-2], 1, x.shape[-1]) if shared_over_length else x.shape
    kept = jax.random.bernoulli(key, 1.0 - rate, shape)
    return jnp.where(kept, x / (1.0 - rate), 0).astype(x.dtype)
