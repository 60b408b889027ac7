"""Multi-head, grouped and multi-query attention: projections around `dot_product_attention`."""

import dataclasses

import jax
from flax import nnx

from t2t.errors import UserError
from t2t.models.activation_sharding import split
from t2t.models.config import at_least_one
from t2t.models.dot_product_attention import dot_product_attention
from t2t.models.layers import Dense
from t2t.models.masks import AttentionMask
from t2t.models.norms import Norm
from t2t.models.shared import Shared


@dataclasses.dataclass(frozen=True)
class Attention:
    """Attention of one kind of layer.

    Attributes:
      num_heads: of queries.
      head_dim: features of a head; heads * head_dim need not be d_model.
      num_kv_heads: of keys and values, each for a group of query heads
        (https://arxiv.org/abs/2305.13245); 1 is multi-query, None as many as queries have.
      scale: of the logits; None for head_dim ** -0.5. T5 has 1 and folds it into the
        initialisation of the queries.
      bias: of the projections to queries, keys and values.
      out_bias: of the projection back to d_model.
      norm: of queries and of keys, per head (QK-norm, https://arxiv.org/abs/2010.04245).
      soft_cap: logits become `soft_cap * tanh(logits / soft_cap)` (Gemma 2, section 2).
    """

    num_heads: int
    head_dim: int
    num_kv_heads: int | None = None
    scale: float | None = None
    bias: bool = False
    out_bias: bool = False
    norm: Norm | None = None
    soft_cap: float | None = None

    def __post_init__(self):
        at_least_one(self, "num_heads", "head_dim", "num_kv_heads")
        if self.num_heads % self.kv_heads:
            raise UserError(
                f"Attention.num_heads = {self.num_heads} is not a multiple of "
                f"Attention.num_kv_heads = {self.kv_heads}."
            )
        for name in ("scale", "soft_cap"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise UserError(f"Attention.{name} must be above 0 (or None), got {value}.")

    @property
    def kv_heads(self) -> int:
        return self.num_heads if self.num_kv_heads is None else self.num_kv_heads

    @property
    def logit_scale(self) -> float:
        return self.head_dim**-0.5 if self.scale is None else self.scale

    def build(
        self, d_model: int, num_layers: int, shared: Shared, key: jax.Array, memory_width: int
    ) -> "MultiHeadAttention":
        """For queries of width `d_model` to what has the width `memory_width`."""
        return MultiHeadAttention(self, d_model, num_layers, shared, key, memory_width)


class MultiHeadAttention(nnx.Module):
    """Parameters and computation of `Attention`; kernels `[d_model, heads * head_dim]`."""

    def __init__(
        self,
        spec: Attention,
        d_model: int,
        num_layers: int,
        shared: Shared,
        key: jax.Array,
        memory_width: int,
    ):
        self._spec, self._dropout = spec, shared.dropout
        self._implementation = shared.compute.attention
        q, k, v, o = jax.random.split(key, 4)
        inner, kv_inner = spec.num_heads * spec.head_dim, spec.kv_heads * spec.head_dim
        folded = spec.head_dim**-0.5 if spec.scale == 1.0 else 1.0
        axes, init, bias = ("embed", "heads"), shared.init, spec.bias
        init_query, init_kv = init.attention(folded), init.attention(1.0)
        self.query = Dense(d_model, inner, axes, key=q, init=init_query, bias=bias)
        self.key = Dense(memory_width, kv_inner, axes, key=k, init=init_kv, bias=bias)
        self.value = Dense(memory_width, kv_inner, axes, key=v, init=init_kv, bias=bias)
        init_out = init.residual(num_layers, attention=True)
        axes = ("heads", "embed")
        self.out = Dense(inner, d_model, axes, key=o, init=init_out, bias=spec.out_bias)
        if spec.norm:
            self.query_norm = spec.norm.build(spec.head_dim)
            self.key_norm = spec.norm.build(spec.head_dim)

    def queries(self, x: jax.Array) -> jax.Array:
        """`[batch, q, d_model]` -> `[batch, q, heads, head_dim]`."""
        queries = _split_heads(self.query(x), self._spec.num_heads)
        queries = split(queries, "batch", "length", "heads", "head_dim")
        return self.query_norm(queries) if self._spec.norm else queries

    def keys_and_values(self, memory: jax.Array) -> tuple[jax.Array, jax.Array]:
        """`[batch, k, width]` -> twice `[batch, k, kv heads, head_dim]`."""
        both = (
            _split_heads(x, self._spec.kv_heads) for x in (self.key(memory), self.value(memory))
        )
        keys, values = (split(x, "batch", "keys", "heads", "head_dim") for x in both)
        return (self.key_norm(keys) if self._spec.norm else keys), values

    def attend(
        self,
        queries: jax.Array,
        keys: jax.Array,
        values: jax.Array,
        *,
        mask: AttentionMask,
        bias: jax.Array | None,
        key: jax.Array | None,
    ) -> jax.Array:
        """What the queries see, `[batch, q, d_model]`; `bias` is `[1, heads, q, k]`."""
        attended = dot_product_attention(
            queries,
            keys,
            values,
            mask=mask,
            bias=bias,
            scale=self._spec.logit_scale,
            soft_cap=self._spec.soft_cap,
            dropout_rate=self._dropout.attention,
            dropout_key=key,
            shared_over_length=self._dropout.shared_over_length,
            implementation=self._implementation,
        )
        attended = split(attended, "batch", "length", "heads", "head_dim")
        return self.out(attended.reshape(*attended.shape[:2], -1))


def _split_heads(x: jax.Array, heads: int) -> jax.Array:
    return x.reshape(*x.shape[:-1], heads, -1)
