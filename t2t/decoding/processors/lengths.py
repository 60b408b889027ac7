"""How long a row becomes at least."""

import dataclasses

import jax
import jax.numpy as jnp

from t2t.decoding.history import History
from t2t.errors import UserError


@dataclasses.dataclass(frozen=True)
class MinLength:
    """Forbids the end of sequence until `n` tokens are generated.

    Attributes:
      n: tokens, the end of sequence not among them; what the decoder was given does not count.
      eos: id of the end of sequence.

    Raises:
      UserError: n or eos is negative; when it is traced, an eos that is beyond the vocabulary.
    """

    n: int
    eos: int

    def __post_init__(self):
        for name in ("n", "eos"):
            if getattr(self, name) < 0:
                raise UserError(f"MinLength.{name} must be 0 or more, got {getattr(self, name)}.")

    def __call__(self, logits: jax.Array, history: History) -> jax.Array:
        """Float32 `[rows, vocab]` -> the same, -inf at `eos` while a row is too short."""
        if self.eos >= logits.shape[1]:
            raise UserError(
                f"MinLength.eos: {self.eos} is no token; the model's vocabulary has "
                f"{logits.shape[1]}, counted from 0."
            )
        ended = logits[:, self.eos]
        return logits.at[:, self.eos].set(jnp.where(history.step < self.n, -jnp.inf, ended))
