"""Which keys each query sees, as a description rather than a dense array."""

import dataclasses

import jax
import jax.numpy as jnp


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class AttentionMask:
    """Every condition that is given must hold; without any, every query sees every key.

    Implementations turn it into a dense array or into flags and lengths, whichever they are
    faster with. A JAX tree: `causal` and `window` are static, the rest are arrays.

    Attributes:
      causal: no query sees later keys, except within `prefix`.
      query_positions: int `[1 | batch, q]`, places of the queries in the row of keys; None is
        0, 1, 2, .... With a cache, the place of the token being decoded. Also where the text was
        packed these count from the beginning of the row, not of the segment.
      key_segments: int `[batch, k]`; 0 is padding, which no query sees.
      query_segments: int `[batch, q]`; a query sees its own segment only, one in segment 0
        nothing. None: every query sees all keys that are no padding.
      prefix: bool `[batch, k]`, by place in the row; its tokens see each other both ways although
        the mask is causal (prefix language models, https://arxiv.org/abs/1910.10683 section 3.2.1).
      allowed: bool `[1 | batch, q, k]`, any other condition.
      window: keys must be less than this far from the query: on either side, or before and after
        it if two numbers.
      local: bool scalar, whether `window` counts, for layers under one scan; None: it does.
    """

    causal: bool = dataclasses.field(default=False, metadata={"static": True})
    query_positions: jax.Array | None = None
    key_segments: jax.Array | None = None
    query_segments: jax.Array | None = None
    prefix: jax.Array | None = None
    allowed: jax.Array | None = None
    window: int | tuple[int, int] | None = dataclasses.field(
        default=None, metadata={"static": True}
    )
    local: jax.Array | None = None

    def for_layer(self, local: jax.Array | None) -> "AttentionMask":
        """The mask of one layer, which sees its `window` only if `local` (bool scalar) is True."""
        return dataclasses.replace(self, local=local)

    def dense(self, query_length: int, key_length: int) -> jax.Array | None:
        """bool `[1 | batch, 1, query_length, key_length]`, True where a query sees a key.

        None if every query sees every key.
        """
        seen = None
        for condition in (
            self._not_later(query_length, key_length),
            self._segments(),
            self.allowed,
            self._near(query_length, key_length),
        ):
            if condition is not None:
                seen = condition if seen is None else seen & condition
        if seen is None:
            return None
        return jnp.broadcast_to(seen, (seen.shape[0], query_length, key_length))[:, None]

    def materialised(self, query_length: int, key_length: int) -> "AttentionMask":
        """The same mask, with all that does not differ between layers computed once."""
        whole = dataclasses.replace(self, window=None, local=None).dense(query_length, key_length)
        if whole is None:
            return self
        return AttentionMask(
            allowed=whole[:, 0],
            query_positions=None if self.window is None else self.query_positions,
            window=self.window,
            local=self.local,
        )

    def _not_later(self, query_length: int, key_length: int) -> jax.Array | None:
        if not self.causal:
            return None
        seen = self._distances(query_length, key_length) >= 0
        if self.prefix is None:
            return seen
        queries = self.prefix[:, :query_length]
        if self.query_positions is not None:
            places = jnp.broadcast_to(self.query_positions, (len(self.prefix), query_length))
            queries = jnp.take_along_axis(self.prefix, places, axis=1, mode="clip")
        return seen | (queries[:, :, None] & self.prefix[:, None, :])

    def _segments(self) -> jax.Array | None:
        if self.key_segments is None:
            return None
        keys = self.key_segments[:, None, :]
        if self.query_segments is None:
            return keys != 0
        return (self.query_segments[:, :, None] == keys) & (keys != 0)

    def _near(self, query_length: int, key_length: int) -> jax.Array | None:
        if self.window is None:
            return None
        before, after = (self.window,) * 2 if isinstance(self.window, int) else self.window
        distances = self._distances(query_length, key_length)
        near = (distances < before) & (-distances < after)
        return near if self.local is None else near | ~self.local

    def _distances(self, query_length: int, key_length: int) -> jax.Array:
        """int `[1 | batch, q, k]`, how far each key lies before the query."""
        queries = self.query_positions
        if queries is None:
            queries = jnp.arange(query_length)[None]
        return queries[:, :, None] - jnp.arange(key_length)[None, None, :]


def joined(
    first: AttentionMask, second: AttentionMask, query_length: int, lengths: tuple[int, int]
) -> AttentionMask:
    """The mask over two sequences of keys, one after the other, of these `lengths`.

    For attention over own tokens and the encoder's in one softmax. The window of either is
    part of the result, so both must be those `for_layer`. Several rows of one may belong to a row
    of the other.
    """
    parts = []
    for mask, length in zip((first, second), lengths, strict=True):
        dense = mask.dense(query_length, length)
        whole = jnp.ones((1, query_length, length), bool)
        parts.append(whole if dense is None else dense[:, 0])
    batch = max(len(part) for part in parts)
    parts = [jnp.repeat(part, batch // len(part), axis=0) for part in parts]
    return AttentionMask(allowed=jnp.concatenate(parts, axis=2))
