"""Tokens that were said before become less likely."""

import dataclasses

import jax
import jax.numpy as jnp

from t2t.decoding.history import History
from t2t.errors import UserError


@dataclasses.dataclass(frozen=True)
class RepetitionPenalty:
    """Divides the logits of tokens in the row by `penalty`, or multiplies those below 0.

    Of CTRL (https://arxiv.org/abs/1909.05858, section 4.1), whose formula divides; a negative logit
    would rise by that, so it is multiplied, as everywhere since. What the decoder was given counts
    as said: its start token, a forced prefix, a prompt; the inputs of an encoder do not.

    Attributes:
      penalty: above 1 against repetition (CTRL: 1.2), below 1 in its favour.

    Raises:
      UserError: a penalty that is not above 0, or not finite.
    """

    penalty: float

    def __post_init__(self):
        if not 0 < self.penalty < float("inf"):
            raise UserError(
                f"RepetitionPenalty.penalty must be above 0 and finite, got {self.penalty}; 1 "
                f"changes nothing."
            )

    def __call__(self, logits: jax.Array, history: History) -> jax.Array:
        """Float32 `[rows, vocab]` -> the same."""
        vocab = logits.shape[1]
        tokens = jnp.where(history.seen, history.tokens, vocab)  # one that no row has
        rows = jnp.arange(len(tokens))[:, None]
        found = logits.at[rows, tokens].get(mode="fill", fill_value=0)
        changed = jnp.where(found < 0, found * self.penalty, found / self.penalty)
        # A token that stands in several places is written several times, with one value.
        return logits.at[rows, tokens].set(changed, mode="drop")
