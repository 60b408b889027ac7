"""Normalisation over features, in float32."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx


@dataclasses.dataclass(frozen=True)
class RMSNorm:
    """Divides by the root mean square and scales (https://arxiv.org/abs/1910.07467).

    Attributes:
      epsilon: added to the mean square.
      offset: added to the stored scale; Gemma stores the difference to 1.
    """

    epsilon: float = 1e-6
    offset: float = 0.0

    def build(self, features: int) -> "RMSNormLayer":
        return RMSNormLayer(self, features)


@dataclasses.dataclass(frozen=True)
class LayerNorm:
    """Subtracts the mean, divides by the deviation, scales and shifts (https://arxiv.org/abs/1607.06450).

    Attributes:
      epsilon: added to the variance.
      bias: shift afterwards.
    """

    epsilon: float = 1e-5
    bias: bool = True

    def build(self, features: int) -> "LayerNormLayer":
        return LayerNormLayer(self, features)


Norm = RMSNorm | LayerNorm


class RMSNormLayer(nnx.Module):
    """Parameters and computation of `RMSNorm`."""

    def __init__(self, spec: RMSNorm, features: int):
        self._spec = spec
        self.scale = _vector(1.0 - spec.offset, features)

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[..., features]` -> the same, in the dtype of `x`."""
        wide = x.astype(jnp.float32)
        mean_square = jnp.mean(jnp.square(wide), axis=-1, keepdims=True)
        wide = wide * jax.lax.rsqrt(mean_square + self._spec.epsilon)
        return (wide * _aligned(self.scale[...] + self._spec.offset, x)).astype(x.dtype)


class LayerNormLayer(nnx.Module):
    """Parameters and computation of `LayerNorm`."""

    def __init__(self, spec: LayerNorm, features: int):
        self._spec = spec
        self.scale = _vector(1.0, features)
        if spec.bias:
            self.bias = _vector(0.0, features)

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[..., features]` -> the same, in the dtype of `x`."""
        wide = x.astype(jnp.float32)
        wide = wide - jnp.mean(wide, axis=-1, keepdims=True)
        variance = jnp.mean(jnp.square(wide), axis=-1, keepdims=True)
        wide = wide * jax.lax.rsqrt(variance + self._spec.epsilon)
        wide = wide * _aligned(self.scale[...], x)
        if self._spec.bias:
            wide = wide + _aligned(self.bias[...], x)
        return wide.astype(x.dtype)


def _vector(value: float, features: int) -> nnx.Param:
    return nnx.Param(jnp.full((features,), value, jnp.float32), out_sharding=("norm",))


def _aligned(vector: jax.Array, x: jax.Array) -> jax.Array:
    return vector.reshape((1,) * (x.ndim - 1) + (-1,))
