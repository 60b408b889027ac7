"""Dense layers, token tables and dropout: what every module is made of.

Kernels are stored 2-D, `[in, out]`, and multiplied by 2-D inputs: faster on CPU than contractions
over 3-D operands, and factored by Adafactor as in T5.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from t2t.models.activation_sharding import flattened, gathered, split
from t2t.models.initializers import Initializer


def param(
    init: Initializer, key: jax.Array, shape: Sequence[int], axes: Sequence[str]
) -> nnx.Param:
    """A float32 parameter whose dimensions have the logical names `axes`."""
    return nnx.Param(init(key, tuple(shape), jnp.float32), out_sharding=tuple(axes))


class Dense(nnx.Module):
    """`x @ kernel + bias`; the bias, if any, starts at 0."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        axes: tuple[str, str],
        *,
        key: jax.Array,
        init: Initializer,
        bias: bool = False,
    ):
        self.kernel = param(init, key, (in_features, out_features), axes)
        self._has_bias = bias
        if bias:
            self.bias = param(jax.nn.initializers.zeros, key, (out_features,), axes[1:])

    def __call__(self, x: jax.Array) -> jax.Array:
        """`[..., in]` -> `[..., out]`, in the dtype of `x`."""
        y = flattened(x) @ self.kernel[...].astype(x.dtype)
        if self._has_bias:
            y = y + jnp.expand_dims(self.bias[...].astype(x.dtype), range(y.ndim - 1))
        return y.reshape(*x.shape[:-1], -1)


class Table(nnx.Module):
    """Vectors `[rows, features]`, looked up by number."""

    def __init__(self, rows: int, features: int, *, key: jax.Array, init: Initializer, axis: str):
        self._axes = axis, "embed"
        self.embedding = param(init, key, (rows, features), self._axes)

    def __call__(self, ids: jax.Array, dtype: jnp.dtype) -> jax.Array:
        """int `[batch, length]` -> `[batch, length, features]`."""
        vectors = gathered(self.embedding[...].astype(dtype), self._axes)[ids]
        return split(vectors, "batch", "length", "residual")


def dropout(
    x: jax.Array, rate: float, key: jax.Array | None, *, shared_over_length: bool
) -> jax.Array:
    """Zeroes with probability `rate` and scales up the rest.

    Args:
      x: of at least two dimensions.
      rate: in [0, 1).
      key: None, as rate 0, returns `x`.
      shared_over_length: one mask for all positions along axis -2, as Mesh T5 has it.
    """
    if key is None or rate == 0.0:
        return x
    shape = (*x.shape[:-2], 1, x.shape[-1]) if shared_over_length else x.shape
    kept = jax.random.bernoulli(key, 1.0 - rate, shape)
    return jnp.where(kept, x / (1.0 - rate), 0).astype(x.dtype)


def split_key(key: jax.Array | None, count: int) -> list[jax.Array | None]:
    """`count` keys, or as many Nones."""
    return [None] * count if key is None else list(jax.random.split(key, count))
