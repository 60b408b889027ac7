"""T5's relative position bias."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from t2t.errors import UserError
from t2t.models.config import at_least
from t2t.models.layers import param
from t2t.models.positions.base import PositionModule, Positions, TableInit


@dataclasses.dataclass(frozen=True)
class RelativeBias(Positions):
    """A learned bias per head and bucket of offsets (T5, https://arxiv.org/abs/1910.10683, §2.1).

    Attributes:
      num_buckets: half of them for each direction where keys to the right are seen.
      max_distance: offsets from here on share the last bucket.
      per_layer: every layer learns its own (umT5), instead of one for the stack.
    """

    num_buckets: int = 32
    max_distance: int = 128
    per_layer: bool = False

    def __post_init__(self):
        at_least(self, 4, "num_buckets")
        if self.num_buckets % 4:
            raise UserError(
                "RelativeBias.num_buckets must be a multiple of 4 (two directions, each half "
                f"exact), got {self.num_buckets}."
            )
        if self.max_distance <= self.num_buckets // 2:
            raise UserError(
                f"RelativeBias.max_distance must be beyond the {self.num_buckets // 2} offsets "
                f"that have buckets of their own, got {self.max_distance}."
            )

    def build(
        self,
        *,
        d_model: int,
        num_heads: int,
        head_dim: int,
        causal: bool,
        key: jax.Array,
        init: TableInit,
    ) -> "RelativePositionBias":
        return RelativePositionBias(
            num_heads=num_heads,
            num_buckets=self.num_buckets,
            max_distance=self.max_distance,
            bidirectional=not causal,
            key=key,
        )


def relative_position_bucket(
    relative_position: np.ndarray, *, bidirectional: bool, num_buckets: int, max_distance: int
) -> np.ndarray:
    """Maps key position minus query position to a bucket (T5, section 2.1).

    Half the buckets are exact offsets, the other half grow logarithmically up to `max_distance`;
    if `bidirectional`, half of all buckets are for keys to the right, else those count as 0.

    Args:
      relative_position: integers of any shape.

    Returns:
      int32 of the same shape, in [0, num_buckets).
    """
    bucket = np.zeros_like(relative_position)
    if bidirectional:
        num_buckets //= 2
        bucket += (relative_position > 0) * num_buckets
        distance = np.abs(relative_position)
    else:
        distance = np.maximum(-relative_position, 0)
    exact = num_buckets // 2
    # float32 in this order of operations, so that bucket edges equal those of released models.
    ratio = np.log(np.maximum(distance, 1).astype(np.float32) / np.float32(exact))
    ratio = ratio / np.float32(np.log(max_distance / exact)) * np.float32(num_buckets - exact)
    far = np.minimum(exact + ratio.astype(np.int32), num_buckets - 1)
    return (bucket + np.where(distance < exact, distance, far)).astype(np.int32)


class RelativePositionBias(PositionModule):
    """The bias of `RelativeBias`."""

    def __init__(
        self,
        *,
        num_heads: int,
        num_buckets: int,
        max_distance: int,
        bidirectional: bool,
        key: jax.Array,
    ):
        self._bidirectional = bidirectional
        self._num_buckets = num_buckets
        self._max_distance = max_distance
        init = jax.nn.initializers.variance_scaling(1.0, "fan_avg", "uniform")
        self.rel_embedding = param(init, key, (num_heads, num_buckets), ("heads", "relpos_buckets"))

    def bias(self, query_length: int, key_length: int, dtype: jnp.dtype) -> jax.Array:
        positions = np.arange(key_length)[None, :] - np.arange(query_length)[:, None]
        buckets = self._bucket(positions)
        return self.rel_embedding[...].astype(dtype)[:, buckets][None]

    def bias_row(self, position: jax.Array, key_length: int, dtype: jnp.dtype) -> jax.Array:
        # By offset rather than by (query, key): bias depends on their difference alone.
        offsets = self._bucket(np.arange(-key_length + 1, key_length))
        table = self.rel_embedding[...].astype(dtype)[:, offsets]
        start = key_length - 1 - position
        row = jax.lax.dynamic_slice_in_dim(table, start, key_length, axis=1)
        return row[None, :, None, :]

    def _bucket(self, relative_position: np.ndarray) -> np.ndarray:
        return relative_position_bucket(
            relative_position,
            bidirectional=self._bidirectional,
            num_buckets=self._num_buckets,
            max_distance=self._max_distance,
        )
