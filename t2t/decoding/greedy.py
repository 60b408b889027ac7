"""Greedy decoding with a static cache."""

import jax
import jax.numpy as jnp

from t2t.models.encoder_decoder import EncoderDecoderModel


def greedy(model: EncoderDecoderModel, encoder_tokens: jax.Array, max_length: int) -> jax.Array:
    """The likeliest token at every step, until every row has ended or `max_length`.

    The encoder and the cross-attention keys and values are computed once. Jit it with a static
    `max_length`; there is one compilation per shape.

    Args:
      model: with parameters bound.
      encoder_tokens: int `[batch, length]`, filled up with the padding of the model.
      max_length: largest number of tokens to generate, the end of sequence included.

    Returns:
      int32 `[batch, max_length]`; after a row's end of sequence, 0.
    """
    ids = model.special_tokens
    inputs = {"encoder_input_tokens": encoder_tokens}
    cache = model.init_cache(model.encode(inputs), max_length)
    batch = encoder_tokens.shape[0]

    def unfinished(state):
        position, _, _, ended, _ = state
        return (position < max_length) & ~jnp.all(ended)

    def step(state):
        position, tokens, output, ended, cache = state
        logits, cache = model.decode_step(tokens, inputs, cache, position)
        tokens = jnp.where(ended, 0, jnp.argmax(logits, axis=-1).astype(jnp.int32))
        output = jax.lax.dynamic_update_slice_in_dim(output, tokens[:, None], position, axis=1)
        return position + 1, tokens, output, ended | (tokens == ids.eos), cache

    # Rows of padding, which fill up a batch, are not decoded.
    ended = ~jnp.any(encoder_tokens != (ids.pad or 0), axis=1)
    start = jnp.full((batch,), ids.start, jnp.int32)
    output = jnp.zeros((batch, max_length), jnp.int32)
    return jax.lax.while_loop(unfinished, step, (jnp.array(0), start, output, ended, cache))[2]
