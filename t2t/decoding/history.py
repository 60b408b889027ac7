"""What has been read and generated so far."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class History(NamedTuple):
    """The rows of a generation up to now; what logit processors may look at.

    Attributes:
      tokens: int32 `[rows, prompt + max_length]`.
      seen: bool, of the same shape: a token of the prompt (its start token included) or of the
        generation stands there; no padding, and nothing after a row's end of sequence.
      column: int32 scalar, where the next token goes, the same in every row.
      step: int32 scalar, tokens generated so far.
    """

    tokens: jax.Array
    seen: jax.Array
    column: jax.Array
    step: jax.Array

    @classmethod
    def begin(cls, prompt: jax.Array, segments: jax.Array | None, max_length: int) -> "History":
        """Before the first step: int `[rows, prompt]`, and its segments, 0 at padding."""
        real = jnp.ones(prompt.shape, bool) if segments is None else segments > 0
        room = ((0, 0), (0, max_length))
        return cls(
            tokens=jnp.pad(prompt.astype(jnp.int32), room),
            seen=jnp.pad(real, room),
            column=jnp.array(prompt.shape[1], jnp.int32),
            step=jnp.array(0, jnp.int32),
        )

    @property
    def last(self) -> jax.Array:
        """int32 `[rows]`, the token before the next one."""
        return jax.lax.dynamic_index_in_dim(self.tokens, self.column - 1, axis=1, keepdims=False)

    def generated(self, max_length: int) -> jax.Array:
        """int32 `[rows, max_length]`, 0 where nothing is generated yet."""
        return self.tokens[:, self.tokens.shape[1] - max_length :]

    def repeat(self, n: int) -> "History":
        """Every row n times, neighbours."""
        return self._replace(
            tokens=jnp.repeat(self.tokens, n, axis=0), seen=jnp.repeat(self.seen, n, axis=0)
        )

    def append(self, tokens: jax.Array, real: jax.Array) -> "History":
        """One step on: int `[rows]`; rows where `real` is False get a 0 that is not seen."""
        written = jnp.where(real, tokens, 0).astype(jnp.int32)
        update = jax.lax.dynamic_update_slice_in_dim
        return History(
            tokens=update(self.tokens, written[:, None], self.column, axis=1),
            seen=update(self.seen, real[:, None], self.column, axis=1),
            column=self.column + 1,
            step=self.step + 1,
        )

    def follow(
        self, origins: jax.Array, tokens: jax.Array, real: jax.Array | None = None
    ) -> "History":
        """One step on, of hypotheses: int `[batch, n]` rows to go on from, and their tokens."""
        rows = origins.reshape(-1)
        real = jnp.ones(rows.shape, bool) if real is None else real.reshape(-1)
        chosen = self._replace(tokens=self.tokens[rows], seen=self.seen[rows])
        return chosen.append(tokens.reshape(-1), real)
