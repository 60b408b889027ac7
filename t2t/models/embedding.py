"""From tokens to the first layer's input."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx

from t2t.errors import UserError
from t2t.models.activation_sharding import split
from t2t.models.config import at_least_one
from t2t.models.layers import Dense, Table, dropout
from t2t.models.norms import Norm
from t2t.models.positions import PositionModule
from t2t.models.shared import Shared


@dataclasses.dataclass(frozen=True)
class Embedding:
    """What becomes of token vectors before the first layer.

    Attributes:
      size: of token vectors that are projected afterwards (ALBERT, section 3.1,
        https://arxiv.org/abs/1909.11942), also if it equals d_model; None for d_model and no
        projection.
      scaled: token vectors times the root of their size (Attention Is All You Need, section 3.4).
      token_types: rows of a second table, added by `token_types` of the batch; 0 for none.
      norm: of the sum.
    """

    size: int | None = None
    scaled: bool = False
    token_types: int = 0
    norm: Norm | None = None

    def __post_init__(self):
        at_least_one(self, "size")
        if self.token_types < 0:
            raise UserError(f"Embedding.token_types must not be negative, got {self.token_types}.")

    def build(self, d_model: int, shared: Shared, key: jax.Array) -> "EmbeddingLayer":
        return EmbeddingLayer(self, d_model, shared, key)


class EmbeddingLayer(nnx.Module):
    """Parameters and computation of `Embedding`, but for the table of tokens."""

    def __init__(self, spec: Embedding, d_model: int, shared: Shared, key: jax.Array):
        types_key, projection_key = jax.random.split(key)
        self._spec, self._dropout = spec, shared.dropout
        size = spec.size or d_model
        if spec.token_types:
            init = shared.init.table
            self.token_types = Table(
                spec.token_types, size, key=types_key, init=init, axis="token_types"
            )
        if spec.norm:
            self.norm = spec.norm.build(size)
        if spec.size:
            init, axes = shared.init.mlp(), ("embedding", "embed")
            self.projection = Dense(size, d_model, axes, key=projection_key, init=init, bias=True)

    def __call__(
        self,
        vectors: jax.Array,
        places: "Places",
        positions: PositionModule,
        key: jax.Array | None,
    ) -> jax.Array:
        """Token vectors `[batch, length, size]` -> `[batch, length, d_model]`, the same dtype."""
        x = vectors
        if self._spec.scaled:
            x = x * jnp.asarray(x.shape[-1] ** 0.5, x.dtype)
        added = positions.embed(places.positions, places.block_positions)
        if added is not None:
            x = x + jnp.broadcast_to(added, x.shape).astype(x.dtype)
        if self._spec.token_types:
            types = places.token_types
            types = jnp.zeros(x.shape[:2], jnp.int32) if types is None else types
            x = x + self.token_types(types, x.dtype)
        if self._spec.norm:
            x = self.norm(x)
        together = self._dropout.shared_over_length
        x = dropout(x, self._dropout.embedding, key, shared_over_length=together)
        x = self.projection(x) if self._spec.size else x
        return split(x, "batch", "length", "residual")


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Places:
    """Where tokens stand and of what kind they are.

    Attributes:
      positions: int `[1 or batch, length]`, from 0 in every segment.
      block_positions: int `[batch, length]`, GLM's second dimension, or None.
      token_types: int `[batch, length]`, or None for type 0.
    """

    positions: jax.Array
    block_positions: jax.Array | None = None
    token_types: jax.Array | None = None
