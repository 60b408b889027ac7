"""Vectors of tokens, and of a text from those of its tokens, on the device."""

import jax
import jax.numpy as jnp

from t2t.decoding.blank_filling import fills_blanks
from t2t.decoding.encoder_batches import segments
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import Model, Params
from t2t.models.encoder_decoder import EncoderDecoder

POOLINGS = ("mean", "first", "last", "tokens")


def embedded(
    model: Model,
    pooling: str,
    normalize: bool,
    starts: bool,
    params: Params,
    tokens: jax.Array,
    sizes: jax.Array,
) -> jax.Array:
    """float32 `[rows, d_model]`, or `[rows, length, d_model]`, of int `[rows, length]` tokens.

    `starts`: whether a decoder alone reads its start token first, which has no vector.
    """
    real = segments(tokens, sizes)
    vectors = _hidden(model, starts, params, tokens, real).astype(jnp.float32)
    vectors = jnp.where(real[:, :, None] > 0, vectors, 0)
    if pooling == "mean":
        vectors = jnp.sum(vectors, axis=1) / jnp.maximum(sizes, 1)[:, None]
    elif pooling == "first":
        vectors = vectors[:, 0]
    elif pooling == "last":
        last = jnp.maximum(sizes - 1, 0)
        vectors = jnp.take_along_axis(vectors, last[:, None, None], axis=1)[:, 0]
    if normalize:
        lengths = jnp.linalg.norm(vectors, axis=-1, keepdims=True)
        vectors = vectors / jnp.maximum(lengths, 1e-12)
    return vectors


def _hidden(
    model: Model, starts: bool, params: Params, tokens: jax.Array, real: jax.Array
) -> jax.Array:
    """`[rows, length, d_model]`; `real` int32 `[rows, length]` is 1 at tokens, 0 at padding."""
    module, config = model.bind(params), model.config
    if isinstance(config, EncoderDecoder):
        return module.encode({"encoder_input_tokens": tokens, "encoder_segment_ids": real})
    if not isinstance(config, DecoderOnly):
        return module.hidden({"encoder_input_tokens": tokens, "encoder_segment_ids": real})
    if fills_blanks(config):
        marks = {"decoder_segment_ids": real, "decoder_prefix_mask": real}
        return module.hidden({"decoder_input_tokens": tokens, **marks})
    in_front = ((0, 0), (int(starts), 0))
    real = jnp.pad(real, in_front, constant_values=1)
    batch = {
        "decoder_input_tokens": jnp.pad(tokens, in_front, constant_values=config.tokens.start),
        "decoder_segment_ids": real,
        "decoder_causal_attention": real,
    }
    return module.hidden(batch)[:, int(starts) :]
