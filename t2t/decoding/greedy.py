"""Greedy decoding with a static cache."""

import jax
import jax.numpy as jnp

from t2t.models.transformer import T5

START_ID = 0  # what the decoder sees first: T5 starts from padding
EOS_ID = 1


def greedy(model: T5, encoder_tokens: jax.Array, max_length: int) -> jax.Array:
    """The likeliest token at every step, until every row has ended or `max_length`.

    The encoder and the cross-attention keys and values are computed once. Jit it with a static
    `max_length`; there is one compilation per shape.

    Args:
      model: with parameters bound.
      encoder_tokens: int `[batch, length]`; 0 is padding.
      max_length: largest number of tokens to generate, the end of sequence included.

    Returns:
      int32 `[batch, max_length]`; after a row's end of sequence, 0.
    """
    cache = model.init_cache(model.encode(encoder_tokens), max_length)
    batch = encoder_tokens.shape[0]

    def unfinished(state):
        position, _, _, ended, _ = state
        return (position < max_length) & ~jnp.all(ended)

    def step(state):
        position, tokens, output, ended, cache = state
        logits, cache = model.decode_step(tokens, encoder_tokens, cache, position)
        tokens = jnp.where(ended, 0, jnp.argmax(logits, axis=-1).astype(jnp.int32))
        output = jax.lax.dynamic_update_slice_in_dim(output, tokens[:, None], position, axis=1)
        return position + 1, tokens, output, ended | (tokens == EOS_ID), cache

    ended = ~jnp.any(encoder_tokens > 0, axis=1)  # rows of padding, which fill up a batch
    start = jnp.full((batch,), START_ID, jnp.int32)
    output = jnp.zeros((batch, max_length), jnp.int32)
    return jax.lax.while_loop(unfinished, step, (jnp.array(0), start, output, ended, cache))[2]
