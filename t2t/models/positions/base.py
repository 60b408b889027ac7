"""What every kind of position offers to the layers of a stack."""

import abc
from collections.abc import Sequence
from typing import Protocol

import jax
import jax.numpy as jnp
from flax import nnx


class TableInit(Protocol):
    """How a model's learned tables start out."""

    def table(self, key: jax.Array, shape: Sequence[int], dtype: jnp.dtype) -> jax.Array:
        """A table `[rows, d_model]`."""
        ...


class PositionModule(nnx.Module):
    """Positions of one stack (or layer). As it is: none at all; kinds override what they need.

    Positions count from 0 within each segment, so that packed examples do not see each other's.
    """

    def check_length(self, length: int) -> None:
        """Raises a UserError if a sequence of this length has positions that `embed` lacks."""

    def embed(
        self, positions: jax.Array, block_positions: jax.Array | None = None
    ) -> jax.Array | None:
        """What is added to the token embeddings; None for nothing.

        Args:
          positions: int `[1 or batch, length]`.
          block_positions: int `[batch, length]`, see `TwoDimensionalPositions`.

        Returns:
          float32 `[1 or batch, length, d_model]`.
        """
        return None

    def bias(self, query_length: int, key_length: int, dtype: jnp.dtype) -> jax.Array | None:
        """What is added to attention scores: `[1, heads, query_length, key_length]`, or None."""
        return None

    def bias_row(self, position: jax.Array, key_length: int, dtype: jnp.dtype) -> jax.Array | None:
        """`bias` of one, possibly traced, query position: `[1, heads, 1, key_length]`, or None."""
        return None

    def rotate(self, x: jax.Array, positions: jax.Array) -> jax.Array:
        """Queries or keys `[batch, length, heads, head_dim]` -> the same shape and dtype.

        Args:
          positions: int `[1 or batch, length]`.
        """
        return x

    @property
    def rotates(self) -> bool:
        """Whether `rotate` does anything."""
        return False


class Positions(abc.ABC):
    """A kind of positions and its settings; `build` makes the module."""

    per_layer: bool = False  # whether every layer has a module of its own

    @abc.abstractmethod
    def build(
        self,
        *,
        d_model: int,
        num_heads: int,
        head_dim: int,
        causal: bool,
        key: jax.Array,
        init: TableInit,
    ) -> PositionModule:
        """The module for a stack of these dimensions.

        Raises:
          UserError: the settings do not go with the dimensions.
        """
