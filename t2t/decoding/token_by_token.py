"""One token after the other: what greedy decoding and sampling have in common."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from t2t.decoding.history import History
from t2t.decoding.strategy import Decoder, Generated, Rules

Choose = Callable[[jax.Array, History], jax.Array]
"""Float32 logits `[rows, vocab]` after processors, and the history, to tokens int `[rows]`."""


class _Rows(NamedTuple):
    history: History
    scores: jax.Array  # float32 [rows]
    ended: jax.Array  # bool [rows]


def decode(
    module: Decoder,
    logits: jax.Array,
    state: Any,
    history: History,
    rules: Rules,
    choose: Choose,
    num_samples: int = 1,
) -> Generated:
    """Appends what is chosen, until all rows have ended or are as long as they may be.

    Rows whose every token is forbidden end with a score of -inf. See `Strategy.search` for the
    arguments.
    """

    def extend(rows: _Rows, logits: jax.Array) -> _Rows:
        allowed = rules.process(logits, rows.history)
        tokens = choose(allowed, rows.history)
        log_probs = jax.nn.log_softmax(logits, axis=-1)
        gained = jnp.take_along_axis(log_probs, tokens[:, None], axis=-1)[:, 0]
        stuck = ~(jnp.max(allowed, axis=-1) > -jnp.inf)
        gained = jnp.where(stuck, -jnp.inf, gained)
        return _Rows(
            history=rows.history.append(tokens, ~(rows.ended | stuck)),
            scores=rows.scores + jnp.where(rows.ended, 0.0, gained),
            ended=rows.ended | stuck | rules.ends(tokens),
        )

    def unfinished(carry):
        rows, _ = carry
        return (rows.history.step < rules.max_length) & ~jnp.all(rows.ended)

    def step(carry):
        rows, state = carry
        logits, state = module.decode_step(rows.history.last, state)
        return extend(rows, logits), state

    batch = logits.shape[0]
    rows = _Rows(
        history=history.repeat(num_samples),
        scores=jnp.zeros((batch * num_samples,), jnp.float32),
        ended=jnp.repeat(~rules.active, num_samples),
    )
    rows = extend(rows, jnp.repeat(logits, num_samples, axis=0))
    rows, _ = jax.lax.while_loop(unfinished, step, (rows, state.repeat(num_samples)))
    tokens = rows.history.generated(rules.max_length)
    return rules.result(
        tokens.reshape(batch, num_samples, -1), rows.scores.reshape(batch, num_samples)
    )
