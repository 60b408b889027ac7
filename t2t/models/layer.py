"""One layer of a transformer: attention to itself, to an encoder, feed-forward."""

from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from flax import nnx

from t2t.models.activation_sharding import split
from t2t.models.layers import dropout, split_key
from t2t.models.masks import AttentionMask, joined
from t2t.models.positions import PositionModule
from t2t.models.shared import Shared
from t2t.models.stack import Stack

Projected = tuple[jax.Array, jax.Array]
"""Keys and values `[batch, length, kv heads, head_dim]`."""


class LayerProjections(NamedTuple):
    """Of one layer, keys and values of its own input and of the encoder's output, if any.

    While decoding, the first have a column for every token to come, and the second have fewer rows
    if several decode from one input; both are `[rows, kv heads, length, head_dim]`, of which XLA
    makes products without a copy.
    """

    own: Projected
    encoded: Projected | None


T = TypeVar("T")


def heads_swapped(projected: T) -> T:
    """Keys and values, however many, with heads before length; or back."""
    return jax.tree.map(lambda x: x.swapaxes(1, 2), projected)


class Memory(NamedTuple):
    """An encoder's output, as layers of a decoder see it.

    Attributes:
      encoded: `[batch, k, width]`.
      mask: which of its positions each query sees.
      positions: int `[1 or batch, k]` to rotate its keys by; None unless the decoder's positions
        continue the encoder's.
    """

    encoded: jax.Array
    mask: AttentionMask
    positions: jax.Array | None = None


class Context(NamedTuple):
    """What all layers of a stack share.

    Attributes:
      positions: int `[1 or batch, length]` of the tokens, to rotate queries and keys by.
      mask: of attention to the stack itself.
      bias: `[1, heads, q, k]`, or None.
      rotations: position modules of global and of local layers.
      memory: of the encoder, for decoders.
    """

    positions: jax.Array
    mask: AttentionMask
    bias: jax.Array | None
    rotations: tuple[PositionModule, PositionModule]
    memory: Memory | None = None


class Layer(nnx.Module):
    """Residual branches `self_attention`, `cross_attention` (decoders) and `mlp`, with norms."""

    def __init__(
        self, spec: Stack, shared: Shared, *, causal: bool, memory_width: int, key: jax.Array
    ):
        keys = jax.random.split(key, 4)
        self._spec, self._dropout, self._dtype = spec, shared.dropout, shared.dtype
        width, depth = spec.d_model, spec.num_layers
        self.self_attention = spec.attention.build(width, depth, shared, keys[0], width)
        if spec.cross_attention:
            build = spec.cross_attention.build
            self.cross_attention = build(width, depth, shared, keys[1], memory_width)
        self.mlp = spec.feed_forward.build(width, depth, shared, keys[2])
        for branch in spec.branches:
            for suffix in spec.placement.norms:
                setattr(self, f"{branch}_{suffix}", spec.norm.build(width))
        if spec.positions.per_layer:
            self.positions = spec.build_positions(spec.positions, shared, causal, keys[3])

    def __call__(
        self, x: jax.Array, context: Context, local: jax.Array | None, key: jax.Array | None
    ) -> tuple[jax.Array, LayerProjections]:
        """`[batch, length, d_model]` -> the same, and what was projected on the way.

        `local` is a bool scalar where layers differ.
        """
        keys = split_key(key, 3)
        encoded = self._project_memory(context)
        projected: list[Projected] = []

        def attend_self(x):
            queries, own = self._project(x, context, local)
            projected.append(own)
            bias = context.bias
            if self._spec.positions.per_layer:
                bias = self.positions.bias(x.shape[1], x.shape[1], self._dtype)
            return self._attend_self(queries, own, encoded, bias, context, local, keys[0])

        def attend_encoder(x):
            return self._attend_encoder(x, encoded, context, keys[1])

        x = self._add_branches(x, attend_self, attend_encoder, keys[2])
        return x, LayerProjections(projected[0], encoded)

    def step(
        self,
        x: jax.Array,
        context: Context,
        local: jax.Array | None,
        past: LayerProjections,
        column: jax.Array,
    ) -> tuple[jax.Array, LayerProjections]:
        """One token `[rows, 1, d_model]`; returns `past` with its own in `column`, too.

        `past` has heads first.
        """
        projected: list[Projected] = []
        # Tied to x: else XLA swaps before the loop over tokens, and copies at every one.
        encoded = heads_swapped(jax.lax.optimization_barrier((past.encoded, x))[0])

        def attend_self(x):
            queries, new = self._project(x, context, local)
            write = jax.lax.dynamic_update_slice_in_dim
            keys, values = (
                write(old, x, column, axis=2)
                for old, x in zip(past.own, heads_swapped(new), strict=True)
            )
            projected.append((keys, values))
            own = heads_swapped(projected[0])
            bias = context.bias
            if self._spec.positions.per_layer:
                bias = self.positions.bias_row(column, own[0].shape[1], self._dtype)
            return self._attend_self(queries, own, encoded, bias, context, local, None)

        def attend_encoder(x):
            return self._attend_encoder(x, encoded, context, None)

        x = self._add_branches(x, attend_self, attend_encoder, None)
        return x, past._replace(own=projected[0])

    def _project_memory(self, context: Context) -> Projected | None:
        """Keys and values of the encoder's output, rotated if they are; None without one."""
        memory = context.memory
        if memory is None:
            return None
        merged = self._spec.merged_attention
        attention = self.self_attention if merged else self.cross_attention
        keys, values = attention.keys_and_values(memory.encoded)
        if memory.positions is not None:
            keys = _rotated(keys, memory.positions, context, None)
        return keys, values

    def _project(self, x, context: Context, local) -> tuple[jax.Array, Projected]:
        """Queries, and keys and values, of the layer's own input, rotated."""
        queries = self.self_attention.queries(x)
        keys, values = self.self_attention.keys_and_values(x)
        queries = _rotated(queries, context.positions, context, local)
        return queries, (_rotated(keys, context.positions, context, local), values)

    def _attend_self(
        self, queries, own: Projected, encoded: Projected | None, bias, context: Context, local, key
    ) -> jax.Array:
        """Attention to own keys and, if merged, to the encoder's in the same softmax."""
        mask, (keys, values) = context.mask.for_layer(local), own
        if self._spec.merged_attention:
            assert context.memory is not None
            assert encoded is not None
            lengths = keys.shape[1], encoded[0].shape[1]
            mask = joined(mask, context.memory.mask, queries.shape[1], lengths)
            times = keys.shape[0] // encoded[0].shape[0]  # rows that decode from one input
            both = [(keys, encoded[0]), (values, encoded[1])]
            keys, values = (
                jnp.concatenate([own, jnp.repeat(of_encoder, times, axis=0)], axis=1)
                for own, of_encoder in both
            )
        return self.self_attention.attend(queries, keys, values, mask=mask, bias=bias, key=key)

    def _attend_encoder(self, x, encoded: Projected | None, context: Context, key) -> jax.Array:
        assert context.memory is not None
        assert encoded is not None
        queries, (keys, values) = self.cross_attention.queries(x), encoded
        if context.memory.positions is not None:
            queries = _rotated(queries, context.positions, context, None)
        # Rows that decode from one input, one query each, become queries of one row.
        queries = queries.reshape(keys.shape[0], -1, *queries.shape[2:])
        mask = context.memory.mask
        attended = self.cross_attention.attend(queries, keys, values, mask=mask, bias=None, key=key)
        return attended.reshape(x.shape[0], x.shape[1], -1)

    def _add_branches(self, x, attend_self, attend_encoder, key: jax.Array | None) -> jax.Array:
        """The residual stream after all branches."""
        keys = split_key(key, 4)
        x = self._add("self_attention", attend_self, x, keys[0])
        if self._spec.cross_attention:
            x = self._add("cross_attention", attend_encoder, x, keys[1])
        return self._add("mlp", lambda x: self.mlp(x, keys[2]), x, keys[3])

    def _add(self, branch: str, function, x: jax.Array, key: jax.Array | None) -> jax.Array:
        rate, together = self._dropout.residual, self._dropout.shared_over_length
        norms = [getattr(self, f"{branch}_{suffix}") for suffix in self._spec.placement.norms]
        x = self._spec.placement(
            x, function, lambda y: dropout(y, rate, key, shared_over_length=together), norms
        )
        return split(x, "batch", "length", "residual")


def _rotated(x: jax.Array, positions: jax.Array, context: Context, local) -> jax.Array:
    everywhere, nearby = context.rotations
    if local is None or nearby is everywhere:
        return everywhere.rotate(x, positions)
    return jnp.where(local, nearby.rotate(x, positions), everywhere.rotate(x, positions))
