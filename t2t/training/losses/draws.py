"""Tokens drawn from a model's own distribution while it trains."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp


class Draws(NamedTuple):
    """Where random numbers come from, and how far from the most likely token they lead.

    Attributes:
      uniforms: float32 `[batch, length, 2]` in [0, 1).
      temperature: what logits are divided by.
    """

    uniforms: jax.Array
    temperature: float = 1.0


def sample(logits: jax.Array, uniforms: jax.Array) -> jax.Array:
    """Int32 `[...]` tokens from the softmax of float32 logits `[..., vocab]`.

    The cumulative distribution is inverted in two steps: which block of the vocabulary, which token
    of the block. So two random numbers `[..., 2]` serve where Gumbel noise needs one per word.
    """
    logits = jax.lax.stop_gradient(logits)
    vocab = logits.shape[-1]
    size = math.isqrt(vocab - 1) + 1
    largest = jnp.max(logits, axis=-1, keepdims=True)
    rest = (*[(0, 0)] * (logits.ndim - 1), (0, -vocab % size))
    blocks = jnp.pad(jnp.exp(logits - largest), rest).reshape(*logits.shape[:-1], -1, size)
    block = _invert(jnp.sum(blocks, axis=-1), uniforms[..., 0])
    # Computed again for one block, so that weights of the whole vocabulary are never stored.
    tokens = block[..., None] * size + _counting(size, logits.ndim)
    found = jnp.take_along_axis(logits, jnp.minimum(tokens, vocab - 1), axis=-1)
    within = jnp.where(tokens < vocab, jnp.exp(found - largest), 0.0)
    return block * size + _invert(within, uniforms[..., 1])


def _counting(size: int, ndim: int) -> jax.Array:
    return jnp.arange(size, dtype=jnp.int32).reshape(*[1] * (ndim - 1), size)


def _invert(weights: jax.Array, uniforms: jax.Array) -> jax.Array:
    """The index at which the sum of weights `[..., n]` passes the share `[...]` of their total."""
    sums = jnp.cumsum(weights, axis=-1)
    passed = sums <= (uniforms * sums[..., -1])[..., None]
    # Rounding may leave no index above; the last one with any weight is meant then.
    last = jnp.argmax(sums, axis=-1)
    return jnp.minimum(jnp.sum(passed, axis=-1, dtype=jnp.int32), last.astype(jnp.int32))
