"""Tokens that have to come at the beginning or at the end."""

import dataclasses

import jax
import jax.numpy as jnp

from t2t.decoding.history import History
from t2t.errors import UserError


@dataclasses.dataclass(frozen=True)
class ForcedFirst:
    """Forces the first token after the start token, where nothing else is given (Hugging Face).

    Attributes:
      token: id of it.

    Raises:
      UserError: when it is traced, a token that is not in the vocabulary.
    """

    token: int

    def __call__(self, logits: jax.Array, history: History) -> jax.Array:
        """Float32 `[rows, vocab]` -> the same; 0 at the token and -inf elsewhere, if it is due."""
        due = jnp.sum(history.seen, axis=1) == 1
        return _forced(logits, self.token, due)


@dataclasses.dataclass(frozen=True)
class ForcedLast:
    """Forces the token at the greatest length (Hugging Face): a text that is too long ends, too.

    Attributes:
      token: id of it.

    Raises:
      UserError: as `ForcedFirst`.
    """

    token: int

    def __call__(self, logits: jax.Array, history: History) -> jax.Array:
        """Float32 `[rows, vocab]` -> the same; 0 at the token and -inf elsewhere, if it is due."""
        is_last = history.column == history.tokens.shape[1] - 1
        due = jnp.broadcast_to(is_last, logits.shape[:1])
        return _forced(logits, self.token, due)


def _forced(logits: jax.Array, token: int, due: jax.Array) -> jax.Array:
    if not 0 <= token < logits.shape[1]:
        raise UserError(
            f"The token {token} cannot be forced: the model's vocabulary has {logits.shape[1]}, "
            f"counted from 0."
        )
    only = jnp.full_like(logits, -jnp.inf).at[:, token].set(0.0)
    return jnp.where(due[:, None], only, logits)
