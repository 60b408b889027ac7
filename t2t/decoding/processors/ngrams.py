"""No sequence of n tokens twice."""

import dataclasses

import jax
import jax.numpy as jnp

from t2t.decoding.history import History
from t2t.errors import UserError


@dataclasses.dataclass(frozen=True)
class NoRepeatNGrams:
    """Forbids a token that would complete n tokens which stand in the row already.

    Paulus et al., https://arxiv.org/abs/1705.04304, section 2.5, for any n and without their beam.
    What the decoder was given counts, as in `RepetitionPenalty`. Every place of the row is compared
    with its last n - 1 tokens: the cost is that of rows * length * n comparisons.

    Attributes:
      n: 1 forbids every token that was said.

    Raises:
      UserError: n is below 1.
    """

    n: int

    def __post_init__(self):
        if self.n < 1:
            raise UserError(f"NoRepeatNGrams.n must be at least 1, got {self.n}.")

    def __call__(self, logits: jax.Array, history: History) -> jax.Array:
        """Float32 `[rows, vocab]` -> the same, -inf where a token is forbidden."""
        tokens, seen = history.tokens, history.seen
        before = self.n - 1
        starts = tokens.shape[1] - before
        if starts < 1:
            return logits
        repeated = seen[:, before:]
        for i in range(before):
            place = history.column - before + i
            said = jnp.take(tokens, place, axis=1, mode="clip")
            real = jnp.take(seen, place, axis=1, mode="clip") & (place >= 0)
            equal = (tokens[:, i : i + starts] == said[:, None]) & seen[:, i : i + starts]
            repeated &= equal & real[:, None]
        rows = jnp.arange(len(tokens))[:, None]
        lowest = jnp.where(repeated, -jnp.inf, jnp.inf)
        return logits.at[rows, tokens[:, before:]].min(lowest, mode="drop")
