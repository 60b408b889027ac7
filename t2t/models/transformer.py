"""A stack of layers, created with a leading `layers` axis and run by `jax.lax.scan`.

Compile time does not grow with depth, and the backward pass can recompute layer by layer.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from t2t.models.decode_state import DecodeState
from t2t.models.embedding import Places
from t2t.models.layer import Context, Layer, LayerProjections, Memory
from t2t.models.layers import dropout, split_key
from t2t.models.masks import AttentionMask
from t2t.models.positions import NoPositions
from t2t.models.shared import Shared
from t2t.models.stack import Stack


class TransformerStack(nnx.Module):
    """Parameters and computation of `Stack`; the table of tokens is given from outside."""

    def __init__(
        self, spec: Stack, shared: Shared, *, causal: bool, key: jax.Array, memory_width: int = 0
    ):
        keys = jax.random.split(key, 4)
        self._spec, self._shared, self._causal = spec, shared, causal
        self.embedding = spec.embedding.build(spec.d_model, shared, keys[0])
        create = nnx.vmap(
            lambda k: Layer(spec, shared, causal=causal, memory_width=memory_width, key=k),
            in_axes=0,
            out_axes=0,
            transform_metadata={nnx.PARTITION_NAME: "layers"},
        )
        self.layers = create(jax.random.split(keys[1], spec.num_groups or spec.num_layers))
        own = NoPositions() if spec.positions.per_layer else spec.positions
        self.positions = spec.build_positions(own, shared, causal, keys[2])
        if spec.local_positions:
            local = spec.local_positions
            self.local_positions = spec.build_positions(local, shared, causal, keys[3])
        if spec.final_norm:
            self.final_norm = spec.norm.build(spec.d_model)

    def __call__(
        self,
        vectors: jax.Array,
        places: Places,
        mask: AttentionMask,
        memory: Memory | None = None,
        key: jax.Array | None = None,
    ) -> jax.Array:
        """Token vectors `[batch, length, size]` -> `[batch, length, d_model]`."""
        return self._read(lambda out: None, vectors, places, mask, memory, key)[0]

    def prefill(
        self, vectors: jax.Array, places: Places, mask: AttentionMask, memory: Memory | None
    ) -> tuple[jax.Array, tuple[LayerProjections, ...]]:
        """As a call; also what each layer projected."""
        hidden, stacked = self._read(lambda out: out, vectors, places, mask, memory, None)
        layers = range(self._spec.num_layers)
        return hidden, tuple(jax.tree.map(lambda x, i=i: x[i], stacked) for i in layers)

    def _read(self, keep, vectors, places, mask, memory, key) -> tuple[jax.Array, Any]:
        """The output, and what `keep` keeps of every layer's keys and values, stacked."""
        embed_key, layers_key, final_key = split_key(key, 3)
        length = vectors.shape[1]
        x = self.embedding(vectors, places, self.positions, embed_key)
        bias = self.positions.bias(length, length, self._shared.dtype)
        if self._shared.compute.attention == "xla":  # others work from flags and lengths
            mask = mask.materialised(length, length)
            if memory is not None:
                encoded, dense = memory.encoded, memory.mask.materialised
                memory = memory._replace(mask=dense(length, encoded.shape[1]))
        context = self._context(places, mask, bias, memory)
        keys = None if layers_key is None else jax.random.split(layers_key, self._spec.num_layers)

        def body(layer, x, local, key):
            x, projected = layer(x, context, local, key)
            return x, keep(projected)

        x, kept = self.scan(body, x, keys)
        return self._finish(x, final_key), kept

    def step(
        self, vectors: jax.Array, state: DecodeState
    ) -> tuple[jax.Array, tuple[LayerProjections, ...]]:
        """One token, vectors `[rows, 1, size]`: its output, and the state's `projected` with it."""
        x = self.embedding(vectors, state.places, self.positions, None)
        length = state.seen.shape[1]
        bias = self.positions.bias_row(state.column, length, self._shared.dtype)
        mask = AttentionMask(
            causal=True, query_positions=state.column[None, None], key_segments=state.seen
        )
        context = self._context(state.places, mask, bias, state.memory)
        context = context._replace(mask=context.mask.materialised(1, length))
        # Layers one by one: a scan would copy all keys and values at every token.
        projected = []
        for i, (layer, local) in enumerate(self._each_layer(state.layers)):
            x, own = layer.step(x, context, local, state.projected[i], state.column)
            projected.append(own)
        return self._finish(x, None), tuple(projected)

    def separate_layers(self) -> tuple[list[jax.Array], ...]:
        """Parameters of each layer (or group of layers), no longer stacked.

        For a loop over tokens, in which XLA would copy each one out of the stack at every token.
        """
        leaves = jax.tree.leaves(nnx.split(self.layers)[1])
        return tuple([leaf[i] for leaf in leaves] for i in range(len(leaves[0])))

    def _each_layer(
        self, separate: tuple[list[jax.Array], ...]
    ) -> Iterator[tuple[Layer, jax.Array | None]]:
        """Every layer, and whether it is local, in order."""
        graphdef, states = nnx.split(self.layers)
        structure = jax.tree.structure(states)
        local, runs = self._local(), self._spec.num_layers // len(separate)
        for i in range(self._spec.num_layers):
            state = jax.tree.unflatten(structure, separate[i // runs])
            yield nnx.merge(graphdef, state), None if local is None else local[i]

    def scan(self, body: Callable, x: jax.Array, per_layer: Any = None) -> tuple[jax.Array, Any]:
        """Runs `x, out = body(layer, x, local, per_layer[i])` over the layers.

        Returns `x` and all `out`, stacked.
        """
        graphdef, states = nnx.split(self.layers)
        spec = self._spec
        local = self._local()

        def step(carry, inputs):
            source, is_local, extra = inputs
            state = jax.tree.map(lambda leaf: leaf[source], tables) if spec.num_groups else source
            return body(nnx.merge(graphdef, state), carry, is_local, extra)

        if spec.num_groups:
            runs = spec.num_layers // spec.num_groups
            sources: Any = jnp.arange(spec.num_layers) // runs
            tables = jax.tree.map(jnp.asarray, states)  # NumPy's take no traced index
        else:
            sources = states
        step = _remat(step, self._shared.compute.remat)
        return jax.lax.scan(step, x, (sources, local, per_layer))

    def _context(self, places, mask, bias, memory) -> Context:
        nearby = self.local_positions if self._spec.local_positions else self.positions
        if self._spec.window is not None:
            mask = dataclasses.replace(mask, window=self._spec.window)
        return Context(places.positions, mask, bias, (self.positions, nearby), memory)

    def _local(self) -> jax.Array | None:
        """bool `[num_layers]`; None where all layers are alike."""
        pattern = self._spec.local_layers
        if all(pattern):
            return None
        repeats = -(-self._spec.num_layers // len(pattern))
        return jnp.array((pattern * repeats)[: self._spec.num_layers])

    def _finish(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        if self._spec.final_norm:
            x = self.final_norm(x)
        settings = self._shared.dropout
        return dropout(x, settings.final, key, shared_over_length=settings.shared_over_length)


def _remat(step: Callable, policy: str) -> Callable:
    if policy == "none":
        return step
    saved = jax.checkpoint_policies.dots_with_no_batch_dims_saveable
    policies = {"minimal": saved, "full": None}
    return jax.checkpoint(step, policy=policies[policy], prevent_cse=False)
