"""Attention with linear biases: a fixed penalty per head that grows with distance."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from t2t.models.positions.base import PositionModule, Positions


def alibi_slopes(num_heads: int) -> np.ndarray:
    """float32 `[num_heads]` (https://arxiv.org/abs/2108.12409, section 3).

    A geometric sequence for a power of two; else that of the next lower power, followed by every
    other one of the next higher power, as in the authors' code.
    """
    lower = 1 << (num_heads.bit_length() - 1)
    slopes = [2.0 ** (-8.0 * (i + 1) / lower) for i in range(lower)]
    between = [2.0 ** (-4.0 * (2 * i + 1) / lower) for i in range(num_heads - lower)]
    return np.array(slopes + between, np.float32)


@dataclasses.dataclass(frozen=True)
class ALiBi(Positions):
    """Scores lose slope times distance, to either side where keys to the right are seen."""

    def build(self, *, num_heads: int, **_) -> "LinearBias":
        return LinearBias(num_heads)


class LinearBias(PositionModule):
    """The bias of `ALiBi`, without parameters."""

    def __init__(self, num_heads: int):
        self._num_heads = num_heads

    def bias(self, query_length: int, key_length: int, dtype: jnp.dtype) -> jax.Array:
        return self._penalty(jnp.arange(query_length), key_length, dtype)

    def bias_row(self, position: jax.Array, key_length: int, dtype: jnp.dtype) -> jax.Array:
        return self._penalty(jnp.asarray(position)[None], key_length, dtype)

    def _penalty(self, queries: jax.Array, key_length: int, dtype: jnp.dtype) -> jax.Array:
        distance = jnp.abs(jnp.arange(key_length)[None, :] - queries[:, None])
        slopes = jnp.asarray(alibi_slopes(self._num_heads))[None, :, None, None]
        return (-slopes * distance[None, None].astype(jnp.float32)).astype(dtype)
