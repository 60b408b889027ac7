"""What an encoder reads, on the device."""

import jax
import jax.numpy as jnp


def encoder_batch(tokens: jax.Array, sizes: jax.Array) -> dict[str, jax.Array]:
    """Of int `[rows, length]` tokens, of which `sizes` `[rows]` are real."""
    return {"encoder_input_tokens": tokens, "encoder_segment_ids": segments(tokens, sizes)}


def segments(tokens: jax.Array, sizes: jax.Array) -> jax.Array:
    """int32 `[rows, length]`, 1 at the first `sizes` tokens, int `[rows]`."""
    return (jnp.arange(tokens.shape[1])[None] < sizes[:, None]).astype(jnp.int32)
