"""A stack of layers, created with a leading `layers` axis and run by `jax.lax.scan`.

Compile time does not grow with depth, and the backward pass can recompute layer by layer.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from t2t.errors import UserError
from t2t.models.attention import Attention
from t2t.models.config import at_least_one
from t2t.models.embedding import Embedding, Places
from t2t.models.feed_forward import FeedForward
from t2t.models.layer import Cache, Context, Layer, Memory
from t2t.models.layers import dropout, split_key
from t2t.models.masks import AttentionMask
from t2t.models.norms import Norm, RMSNorm
from t2t.models.positions import NoPositions, PositionModule, Positions
from t2t.models.residual import Placement, PreNorm
from t2t.models.shared import Shared


@dataclasses.dataclass(frozen=True)
class Stack:
    """An encoder, or a decoder.

    Attributes:
      num_layers: how often a layer is applied.
      d_model: width of the residual stream.
      attention: of the stack to itself.
      feed_forward: of each layer.
      norm: every norm of the layers, and the final one.
      positions: where tokens stand.
      placement: of norms around residual branches.
      cross_attention: to the encoder, in the decoder of an encoder-decoder.
      merged_attention: instead of cross-attention, own tokens and the encoder's in one softmax,
        through the projections of self-attention (T5Gemma 2, https://arxiv.org/abs/2512.14856).
      embedding: before the first layer.
      final_norm: after the last layer.
      window: local layers see keys less than this far away; a pair is for keys before and after
        the query.
      local_layers: which layers do, as a pattern that repeats.
      local_positions: of local layers, where those differ.
      num_groups: sets of parameters, each for a run of neighbouring layers (ALBERT has 1); None
        for one per layer.
    """

    num_layers: int
    d_model: int
    attention: Attention
    feed_forward: FeedForward
    norm: Norm = RMSNorm()  # noqa: RUF009 (frozen)
    positions: Positions = NoPositions()  # noqa: RUF009
    placement: Placement = PreNorm()  # noqa: RUF009
    cross_attention: Attention | None = None
    merged_attention: bool = False
    embedding: Embedding = Embedding()  # noqa: RUF009
    final_norm: bool = True
    window: int | tuple[int, int] | None = None
    local_layers: tuple[bool, ...] = (True,)
    local_positions: Positions | None = None
    num_groups: int | None = None

    def __post_init__(self):
        at_least_one(self, "num_layers", "d_model", "num_groups")
        if self.num_groups is not None and self.num_layers % self.num_groups:
            raise UserError(
                f"Stack.num_layers = {self.num_layers} is not a multiple of Stack.num_groups = "
                f"{self.num_groups}."
            )
        if self.window is not None:
            sides = self.window if isinstance(self.window, tuple) else (self.window,) * 2
            if len(sides) != 2 or min(sides) < 1:
                raise UserError(
                    f"Stack.window must be at least 1, or a pair of such numbers, got "
                    f"{self.window}."
                )
        if not self.local_layers:
            raise UserError("Stack.local_layers is empty; (True,) makes every layer local.")
        if self.window is None and (self.local_positions or self.local_layers != (True,)):
            raise UserError(
                "Stack.local_layers and Stack.local_positions are for layers that see a window, "
                "but Stack.window is None."
            )
        if self.merged_attention and self.cross_attention:
            raise UserError(
                "Stack.merged_attention takes the place of Stack.cross_attention; set one of them."
            )

    @property
    def branches(self) -> tuple[str, ...]:
        """Names of the residual branches of a layer, in order."""
        cross = ("cross_attention",) if self.cross_attention else ()
        return ("self_attention", *cross, "mlp")

    @property
    def embedding_size(self) -> int:
        return self.embedding.size or self.d_model

    @property
    def attends_to_encoder(self) -> bool:
        return self.merged_attention or self.cross_attention is not None

    def build_positions(
        self, positions: Positions, shared: Shared, causal: bool, key: jax.Array
    ) -> PositionModule:
        return positions.build(
            d_model=self.embedding_size,
            num_heads=self.attention.num_heads,
            head_dim=self.attention.head_dim,
            causal=causal,
            key=key,
            init=shared.init,
        )


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
        embed_key, layers_key, final_key = split_key(key, 3)
        length = vectors.shape[1]
        x = self.embedding(vectors, places, self.positions, embed_key)
        bias = self.positions.bias(length, length, self._shared.dtype)
        if self._shared.compute.attention == "xla":  # others work from flags and lengths
            mask = mask.materialised(length, length)
        context = self._context(places, mask, bias, memory)
        keys = None if layers_key is None else jax.random.split(layers_key, self._spec.num_layers)
        x, _ = self.scan(lambda layer, x, local, k: (layer(x, context, local, k), None), x, keys)
        return self._finish(x, final_key)

    def init_cache(self, batch: int, max_length: int, memory: Memory | None = None) -> Cache:
        """Empty keys and values of all layers, and those of the encoder.

        Arrays are `[layers, batch, length, kv heads, head_dim]`.
        """
        self.positions.check_length(max_length)
        attention = self._spec.attention
        shape = (batch, max_length, attention.kv_heads, attention.head_dim)
        empty = jnp.zeros(shape, self._shared.dtype)

        def body(layer, x, _, __):
            cache = {"key": empty, "value": empty}
            if memory is not None:
                cache["cross_key"], cache["cross_value"] = layer.project_memory(memory)
            return x, cache

        return self.scan(body, jnp.zeros(()))[1]

    def step(
        self,
        vectors: jax.Array,
        places: Places,
        mask: AttentionMask,
        cache: Cache,
        position: jax.Array,
        memory: Memory | None = None,
    ) -> tuple[jax.Array, Cache]:
        """One token, vectors `[batch, 1, size]`, at `position` of the cache; returns both anew."""
        x = self.embedding(vectors, places, self.positions, None)
        bias = self.positions.bias_row(position, cache["key"].shape[2], self._shared.dtype)
        context = self._context(places, mask, bias, memory)
        x, cache = self.scan(
            lambda layer, x, local, c: layer.step(x, context, local, c, position), x, cache
        )
        return self._finish(x, None), cache

    def scan(self, body: Callable, x: jax.Array, per_layer: Any = None) -> tuple[jax.Array, Any]:
        """Runs `x, out = body(layer, x, local, per_layer[i])` over the layers.

        Returns `x` and all `out`, stacked.
        """
        graphdef, states = nnx.split(self.layers)
        spec = self._spec
        local = self._local()

        def step(carry, inputs):
            source, is_local, extra = inputs
            state = jax.tree.map(lambda leaf: leaf[source], states) if spec.num_groups else source
            return body(nnx.merge(graphdef, state), carry, is_local, extra)

        if spec.num_groups:
            runs = spec.num_layers // spec.num_groups
            sources: Any = jnp.arange(spec.num_layers) // runs
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
