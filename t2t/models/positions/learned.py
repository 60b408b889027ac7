"""Learned tables of positions, added to the token embeddings."""

import dataclasses

import jax
import jax.numpy as jnp

from t2t.errors import UserError
from t2t.models.activation_sharding import gathered
from t2t.models.config import at_least
from t2t.models.layers import param
from t2t.models.positions.base import PositionModule, Positions, TableInit

_AXES = ("positions", "embed")


@dataclasses.dataclass(frozen=True)
class LearnedPositions(Positions):
    """A vector for each position (GPT, BERT).

    Attributes:
      max_length: positions that have a vector.
      offset: rows before that of the first position (BART and RoBERTa have 2).
    """

    max_length: int
    offset: int = 0

    def __post_init__(self):
        at_least(self, 1, "max_length")
        at_least(self, 0, "offset")

    def build(self, *, d_model: int, key: jax.Array, init: TableInit, **_) -> "PositionTable":
        return PositionTable(self, d_model, key, init)


class PositionTable(PositionModule):
    """The table `[max_length + offset, d_model]` of `LearnedPositions`."""

    def __init__(self, spec: LearnedPositions, d_model: int, key: jax.Array, init: TableInit):
        self._spec = spec
        self.embedding = param(init.table, key, (spec.max_length + spec.offset, d_model), _AXES)

    def embed(self, positions: jax.Array, block_positions: jax.Array | None = None) -> jax.Array:
        """As in `PositionModule`; positions beyond the last, if known only on the device, are NaN.

        Raises:
          UserError: a sequence that is not packed is longer than the table.
        """
        if positions.shape[0] == 1:
            self.check_length(positions.shape[1])
        return _rows(self.embedding[...], positions + self._spec.offset)

    def check_length(self, length: int) -> None:
        _check_length(self._spec, length)


@dataclasses.dataclass(frozen=True)
class TwoDimensionalPositions(Positions):
    """Two vectors per token (GLM, https://arxiv.org/abs/2103.10360, section 2.1).

    One for its position in the corrupted text, or of the mask that its span replaces; and one for
    its place within the span, 0 in the corrupted text.

    Attributes:
      max_length: positions in the text that have a vector.
      max_block_length: places within a span that have one, with place 0.
    """

    max_length: int
    max_block_length: int

    def __post_init__(self):
        at_least(self, 1, "max_length", "max_block_length")

    def build(self, *, d_model: int, key: jax.Array, init: TableInit, **_) -> "TwoTables":
        return TwoTables(self, d_model, key, init)


class TwoTables(PositionModule):
    """The tables of `TwoDimensionalPositions`."""

    def __init__(
        self, spec: TwoDimensionalPositions, d_model: int, key: jax.Array, init: TableInit
    ):
        self._spec = spec
        k1, k2 = jax.random.split(key)
        self.embedding = param(init.table, k1, (spec.max_length, d_model), _AXES)
        self.block_embedding = param(init.table, k2, (spec.max_block_length, d_model), _AXES)

    def embed(self, positions: jax.Array, block_positions: jax.Array | None = None) -> jax.Array:
        """As in `PositionTable`; without block positions, all of them are 0."""
        if block_positions is None:
            if positions.shape[0] == 1:
                self.check_length(positions.shape[1])
            return _rows(self.embedding[...], positions) + self.block_embedding[...][None, :1]
        return _rows(self.embedding[...], positions) + _rows(
            self.block_embedding[...], block_positions
        )

    def check_length(self, length: int) -> None:
        _check_length(self._spec, length)


def _check_length(spec: LearnedPositions | TwoDimensionalPositions, length: int) -> None:
    if length > spec.max_length:
        raise UserError(
            f"{type(spec).__name__}.max_length is {spec.max_length}, but a sequence has {length} "
            f"positions. Shorten the sequences, or raise max_length for a new model."
        )


def _rows(table: jax.Array, indices: jax.Array) -> jax.Array:
    # NaN rather than the last row: positions of packed examples are known on the device only.
    table = gathered(jnp.asarray(table), _AXES)
    return table.at[indices].get(mode="fill", fill_value=jnp.nan)
