"""Multi-head attention, over a whole sequence or one step at a time from a cache."""

import jax
import jax.numpy as jnp
from flax import nnx

from t2t.models.layers import FAN_IN_NORMAL, Dense, dropout

_MASKED = -1e10  # far below any logit, and finite: a row masked everywhere stays free of NaN


def dot_product_attention(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    bias: jax.Array | None,
    mask: jax.Array | None,
    *,
    dropout_rate: float = 0.0,
    dropout_key: jax.Array | None = None,
) -> jax.Array:
    """`softmax(query key^T + bias) value`, unscaled as in T5; the softmax is float32.

    Args:
      query: `[batch, q, heads, head_dim]`.
      key, value: `[batch, k, heads, head_dim]`.
      bias: `[1, heads, q, k]`, added to the logits.
      mask: bool, broadcastable to `[batch, heads, q, k]`; False is not attended to.

    Returns:
      `[batch, q, heads, head_dim]` in the dtype of `query`.
    """
    logits = jnp.einsum("bqhd,bkhd->bhqk", query, key).astype(jnp.float32)
    if bias is not None:
        logits = logits + bias.astype(jnp.float32)
    if mask is not None:
        logits = jnp.where(mask, logits, _MASKED)
    weights = jax.nn.softmax(logits, axis=-1).astype(query.dtype)
    weights = dropout(weights, dropout_rate, dropout_key)
    return jnp.einsum("bhqk,bkhd->bqhd", weights, value)


class Attention(nnx.Module):
    """Projections around `dot_product_attention`; kernels `[d_model, heads * head_dim]`."""

    def __init__(
        self, d_model: int, num_heads: int, head_dim: int, *, dropout_rate: float, key: jax.Array
    ):
        self._num_heads = num_heads
        self._dropout_rate = dropout_rate
        inner = num_heads * head_dim
        q, k, v, o = jax.random.split(key, 4)

        # T5 folds attention's 1/sqrt(head_dim) into the initialisation of the queries.
        def query_init(key, shape, dtype):
            return FAN_IN_NORMAL(key, shape, dtype) * head_dim**-0.5

        axes = ("embed", "heads")
        self.query = Dense(d_model, inner, axes, key=q, init=query_init)
        self.key = Dense(d_model, inner, axes, key=k, init=FAN_IN_NORMAL)
        self.value = Dense(d_model, inner, axes, key=v, init=FAN_IN_NORMAL)
        self.out = Dense(inner, d_model, ("heads", "embed"), key=o, init=FAN_IN_NORMAL)

    def __call__(
        self,
        x: jax.Array,
        memory: jax.Array,
        bias: jax.Array | None,
        mask: jax.Array | None,
        dropout_key: jax.Array | None,
    ) -> jax.Array:
        """Attends from `x` `[batch, q, d_model]` to `memory` `[batch, k, d_model]`."""
        keys, values = self.project_memory(memory)
        return self._attend(x, keys, values, bias, mask, dropout_key)

    def project_memory(self, memory: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Keys and values `[batch, k, heads, head_dim]` of `memory`."""
        return self._split(self.key(memory)), self._split(self.value(memory))

    def attend_cached(
        self,
        x: jax.Array,
        keys: jax.Array,
        values: jax.Array,
        bias: jax.Array | None,
        mask: jax.Array | None,
    ) -> jax.Array:
        """Attends from `x` `[batch, q, d_model]` to keys and values made before."""
        return self._attend(x, keys, values, bias, mask, None)

    def _attend(self, x, keys, values, bias, mask, dropout_key) -> jax.Array:
        query = self._split(self.query(x))
        attended = dot_product_attention(
            query,
            keys,
            values,
            bias,
            mask,
            dropout_rate=self._dropout_rate,
            dropout_key=dropout_key,
        )
        return self.out(attended.reshape(*x.shape[:-1], -1))

    def _split(self, x: jax.Array) -> jax.Array:
        return x.reshape(*x.shape[:-1], self._num_heads, -1)
