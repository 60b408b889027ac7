"""Log-probabilities of given tokens, on the device."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from t2t.decoding.encoder_batches import encoder_batch, segments
from t2t.models.definition import Model, Params

MAX_LOGITS_BYTES = 2**26
"""Logits that exist at a time, unless those of one position of all rows are more."""


class TokenScores(NamedTuple):
    """Of given tokens, each after those before it.

    Attributes:
      log_probs: float32 `[..., length]`, natural logarithms.
      greedy: bool `[..., length]`, whether no token is likelier.
    """

    log_probs: Any
    greedy: Any


def encode(model: Model, params: Params, tokens: jax.Array, sizes: jax.Array) -> jax.Array:
    """The encoder's output for int `[rows, length]` tokens, of which `sizes` `[rows]` are real."""
    return model.bind(params).encode(encoder_batch(tokens, sizes))


def score_encoded(
    model: Model,
    params: Params,
    memory: tuple[jax.Array, jax.Array, jax.Array],
    owners: jax.Array,
    targets: jax.Array,
    sizes: jax.Array,
) -> TokenScores:
    """`[rows, length]`, of targets given inputs that are encoded.

    Args:
      memory: tokens, sizes and output of `encode`.
      owners: int `[rows]`, the row of `memory` that each target is for.
      targets: int `[rows, length]`, of which `sizes` `[rows]` are real.
    """
    tokens, input_sizes, encoded = (x[owners] for x in memory)
    module = model.bind(params)
    batch = {
        **encoder_batch(tokens, input_sizes),
        "decoder_input_tokens": _shifted(targets, model.config.tokens.start),
        "decoder_segment_ids": segments(targets, sizes),
    }
    return log_probs(module, module.decode(encoded, batch), targets)


def score_continued(
    model: Model,
    params: Params,
    tokens: jax.Array,
    sizes: jax.Array,
    begins: jax.Array,
    starts: jax.Array,
    length: int,
) -> TokenScores:
    """`[rows, length]`, of tokens given those before them.

    Args:
      tokens: int `[rows, row length]`, of which `sizes` `[rows]` are real.
      begins: int `[rows]`, place of the first one to score; what is before it are inputs.
      starts: int `[rows]`, what is read in front of the tokens.
      length: how many are scored.
    """
    places = jnp.arange(tokens.shape[1])[None]
    batch = {
        "decoder_input_tokens": _shifted(tokens, starts),
        "decoder_segment_ids": segments(tokens, sizes),
        "decoder_causal_attention": places <= begins[:, None],
    }
    return _from(model.bind(params), batch, tokens, begins, length)


def score_filled(
    model: Model,
    masks: tuple[int, ...],
    start_id: int,
    params: Params,
    tokens: jax.Array,
    sizes: jax.Array,
    begins: jax.Array,
    starts: jax.Array,
    length: int,
) -> TokenScores:
    """As `score_continued`, of what fills the blank in the inputs (GLM; see its objectives).

    Args:
      masks: ids that stand for a blank; there is one in every row's inputs.
      start_id: of the token before what fills it.
    """
    places = jnp.arange(tokens.shape[1])[None]
    text = places < begins[:, None]  # Part A; the fill is Part B
    real = segments(tokens, sizes)
    blanks = jnp.argmax(jnp.isin(tokens, jnp.array(masks)) & text, axis=1)
    before = jnp.where(places == begins[:, None], start_id, _shifted(tokens, starts))
    batch = {
        "decoder_input_tokens": jnp.where(text, tokens, before),
        "decoder_segment_ids": real,
        "decoder_prefix_mask": text,
        "decoder_positions": jnp.where(text, places, blanks[:, None]),
        "decoder_block_positions": jnp.where(text, 0, places - begins[:, None] + 1) * real,
    }
    return _from(model.bind(params), batch, tokens, begins, length)


def _from(
    module: Any, batch: dict[str, jax.Array], tokens: jax.Array, begins: jax.Array, length: int
) -> TokenScores:
    """`[rows, length]`, of the tokens from `begins` on."""
    scored = begins[:, None] + jnp.arange(length)[None]
    scored = jnp.minimum(scored, tokens.shape[1] - 1)
    hidden = jnp.take_along_axis(module.hidden(batch), scored[:, :, None], axis=1)
    return log_probs(module, hidden, jnp.take_along_axis(tokens, scored, axis=1))


def log_probs(module: Any, hidden: jax.Array, targets: jax.Array) -> TokenScores:
    """`[rows, length]`, of each target, at hidden states `[rows, length, d_model]`.

    A few positions are projected at a time; see `MAX_LOGITS_BYTES`.
    """
    rows, length = targets.shape
    vocab = jax.eval_shape(module.logits, hidden[:, 0]).shape[-1]
    chunk = max(1, MAX_LOGITS_BYTES // (4 * rows * vocab))

    def at_position(column: tuple[jax.Array, jax.Array]) -> TokenScores:
        vectors, words = column
        logits = module.logits(vectors)
        chosen = jnp.take_along_axis(logits, words[:, None], axis=1)[:, 0]
        log_prob = chosen - jax.nn.logsumexp(logits, axis=1)
        return TokenScores(log_prob, chosen >= jnp.max(logits, axis=1))

    columns = jnp.moveaxis(hidden, 1, 0), targets.T
    found = jax.lax.map(at_position, columns, batch_size=min(chunk, length))
    return TokenScores(found.log_probs.T, found.greedy.T)


def _shifted(tokens: jax.Array, starts: jax.Array | int) -> jax.Array:
    """What a decoder reads to predict int `[rows, length]` tokens: a start, all but the last."""
    return jnp.pad(tokens[:, :-1], ((0, 0), (1, 0))).at[:, 0].set(starts)
