"""Where tokens stand: T5's relative position bias."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from t2t.models.layers import param


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


class RelativePositionBias(nnx.Module):
    """A learned bias per head and bucket, computed once for all layers of a stack."""

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

    def __call__(self, query_length: int, key_length: int, dtype: jnp.dtype) -> jax.Array:
        """Returns `[1, heads, query_length, key_length]`."""
        positions = np.arange(key_length)[None, :] - np.arange(query_length)[:, None]
        buckets = self._bucket(positions)
        return self.rel_embedding[...].astype(dtype)[:, buckets][None]

    def row(self, query_position: jax.Array, key_length: int, dtype: jnp.dtype) -> jax.Array:
        """Returns `[1, heads, 1, key_length]` for one, possibly traced, query position."""
        # By offset rather than by (query, key): bias depends on their difference alone.
        offsets = self._bucket(np.arange(-key_length + 1, key_length))
        table = self.rel_embedding[...].astype(dtype)[:, offsets]
        start = key_length - 1 - query_position
        row = jax.lax.dynamic_slice_in_dim(table, start, key_length, axis=1)
        return row[None, :, None, :]

    def _bucket(self, relative_position: np.ndarray) -> np.ndarray:
        return relative_position_bucket(
            relative_position,
            bidirectional=self._bidirectional,
            num_buckets=self._num_buckets,
            max_distance=self._max_distance,
        )
