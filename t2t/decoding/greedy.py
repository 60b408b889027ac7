"""Greedy decoding."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from t2t.decoding import token_by_token
from t2t.decoding.history import History
from t2t.decoding.strategy import Decoder, Generated, Rules, Strategy
from t2t.models.encoder_decoder import EncoderDecoderModel


@dataclasses.dataclass(frozen=True)
class Greedy(Strategy):
    """The likeliest token at every step."""

    @property
    def num_returned(self) -> int:
        return 1

    def search(
        self, module: Decoder, logits: jax.Array, state: Any, history: History, rules: Rules
    ) -> Generated:
        def likeliest(logits: jax.Array, history: History) -> jax.Array:
            return jnp.argmax(logits, axis=-1)

        return token_by_token.decode(module, logits, state, history, rules, likeliest)


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
    ids, rows = model.special_tokens, encoder_tokens.shape[0]
    prompt = jnp.full((rows, 1), ids.start, jnp.int32)
    batch = {"encoder_input_tokens": encoder_tokens, "decoder_input_tokens": prompt}

    def unfinished(carry):
        position, _, ended, _, _ = carry
        return (position < max_length) & ~jnp.all(ended)

    def step(carry):
        position, output, ended, logits, state = carry
        tokens = jnp.where(ended, 0, jnp.argmax(logits, axis=-1).astype(jnp.int32))
        output = jax.lax.dynamic_update_slice_in_dim(output, tokens[:, None], position, axis=1)
        logits, state = model.decode_step(tokens, state)
        return position + 1, output, ended | (tokens == ids.eos), logits, state

    # Rows of padding, which fill up a batch, are not decoded.
    ended = ~jnp.any(encoder_tokens != (ids.pad or 0), axis=1)
    output = jnp.zeros((rows, max_length), jnp.int32)
    begin = (jnp.array(0), output, ended, *model.start(batch, max_length))
    return jax.lax.while_loop(unfinished, step, begin)[1]
