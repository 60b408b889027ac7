"""Attention over projected queries, keys and values."""

import jax
import jax.numpy as jnp

from t2t.models.config import ATTENTION_IMPLEMENTATIONS, one_of
from t2t.models.cudnn_attention import cudnn_attention
from t2t.models.layers import dropout
from t2t.models.masks import AttentionMask

_MASKED = -1e10  # far below any logit, and finite: a row masked everywhere stays free of NaN


def dot_product_attention(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    *,
    mask: AttentionMask | None = None,
    bias: jax.Array | None = None,
    scale: float,
    soft_cap: float | None = None,
    dropout_rate: float = 0.0,
    dropout_key: jax.Array | None = None,
    shared_over_length: bool = False,
    implementation: str = "xla",
) -> jax.Array:
    """`softmax(scale * query key^T + bias) value`; the softmax is float32.

    Fewer heads of keys than of queries are shared by as many consecutive heads of queries:
    grouped-query attention, https://arxiv.org/abs/2305.13245 section 2.2.

    Args:
      query: `[batch, q, heads, head_dim]`.
      key, value: `[batch, k, kv_heads, head_dim]`, kv_heads a divisor of heads.
      mask: which keys are seen; None: all. A query that sees none gets some average of values.
      bias: `[1 | batch, heads, q, k]`, added to the logits.
      soft_cap: bounds the scaled products, before the bias is added, by `cap * tanh(x / cap)`:
        Gemma 2, https://arxiv.org/abs/2408.00118 section 2.
      dropout_key: None for no dropout of the weights.
      shared_over_length: the same weights are dropped for all queries (T5).
      implementation: "xla", or "cudnn" for the fused kernels of NVIDIA's library.

    Returns:
      `[batch, q, heads, head_dim]` in the dtype of `query`.

    Raises:
      UserError: while tracing, if the implementation cannot do what is asked.
    """
    one_of("Compute.attention", implementation, ATTENTION_IMPLEMENTATIONS)
    if implementation == "cudnn":
        rate = 0.0 if dropout_key is None else dropout_rate
        return cudnn_attention(
            query,
            key,
            value,
            mask=mask,
            bias=bias,
            scale=scale,
            soft_cap=soft_cap,
            dropout_rate=rate,
        )
    logits = _products(query, key).astype(jnp.float32)
    if scale != 1.0:
        logits = logits * scale
    if soft_cap is not None:
        logits = soft_cap * jnp.tanh(logits / soft_cap)
    if bias is not None:
        logits = logits + bias.astype(jnp.float32)
    seen = None if mask is None else mask.dense(*logits.shape[2:])
    if seen is not None:
        logits = jnp.where(seen, logits, _MASKED)
    weights = jax.nn.softmax(logits, axis=-1).astype(query.dtype)
    weights = dropout(weights, dropout_rate, dropout_key, shared_over_length=shared_over_length)
    return _averages(weights, value)


def _products(query: jax.Array, key: jax.Array) -> jax.Array:
    """`[batch, heads, q, k]`."""
    batch, queries, heads, head_dim = query.shape
    if key.shape[2] == heads:
        return jnp.einsum("bqhd,bkhd->bhqk", query, key)
    # The queries of a group become one longer sequence: keys are neither repeated nor read twice.
    grouped = query.reshape(batch, queries, key.shape[2], -1, head_dim).transpose(0, 2, 3, 1, 4)
    grouped = grouped.reshape(batch, key.shape[2], -1, head_dim)
    return jnp.einsum("bhqd,bkhd->bhqk", grouped, key).reshape(batch, heads, queries, -1)


def _averages(weights: jax.Array, value: jax.Array) -> jax.Array:
    """`[batch, q, heads, head_dim]` of `weights` `[batch, heads, q, k]`."""
    batch, heads, queries, keys = weights.shape
    if value.shape[2] == heads:
        return jnp.einsum("bhqk,bkhd->bqhd", weights, value)
    grouped = weights.reshape(batch, value.shape[2], -1, keys)
    averages = jnp.einsum("bhqk,bkhd->bhqd", grouped, value)
    averages = averages.reshape(batch, value.shape[2], -1, queries, value.shape[3])
    return averages.transpose(0, 3, 1, 2, 4).reshape(batch, queries, heads, -1)
