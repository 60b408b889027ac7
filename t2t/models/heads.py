"""What stands on top of a stack: logits over the vocabulary, classes, spans, pooled vectors."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx

from t2t.models.activation_sharding import flattened, gathered, split
from t2t.models.activations import ACTIVATIONS, check_activation
from t2t.models.config import at_least_one, one_of
from t2t.models.layers import Dense, dropout, param
from t2t.models.norms import Norm
from t2t.models.shared import Shared


@dataclasses.dataclass(frozen=True)
class HeadTransform:
    """`norm(activation(dense(x)))` before the projection (BERT's masked language model).

    Attributes:
      activation: its name.
      norm: afterwards.
      size: of the result, if not d_model.
    """

    activation: str
    norm: Norm
    size: int | None = None

    def __post_init__(self):
        check_activation("HeadTransform.activation", self.activation)
        at_least_one(self, "size")


@dataclasses.dataclass(frozen=True)
class LMHead:
    """Logits over the vocabulary, for every position.

    Attributes:
      tied: project with the table of tokens, which then has no kernel beside it.
      scaled: of hidden states by d_model ** -0.5 before (T5 1.0's tied head).
      bias: one per word.
      transform: before the projection.
      soft_cap: logits become `soft_cap * tanh(logits / soft_cap)` (Gemma 2, section 2).
    """

    tied: bool = True
    scaled: bool = False
    bias: bool = False
    transform: HeadTransform | None = None
    soft_cap: float | None = None

    name: ClassVar[str] = "lm_head"

    def build(self, d_model: int, vocab_size: int, shared: Shared, key: jax.Array) -> "LMHeadLayer":
        return LMHeadLayer(self, d_model, vocab_size, shared, key)


class LMHeadLayer(nnx.Module):
    """Parameters and computation of `LMHead`."""

    def __init__(self, spec: LMHead, d_model: int, vocab_size: int, shared: Shared, key: jax.Array):
        k1, k2 = jax.random.split(key)
        self._spec = spec
        size = d_model
        if spec.transform:
            size = spec.transform.size or d_model
            self.transform = _Transform(spec.transform, d_model, size, shared, k1)
        if not spec.tied:
            self.kernel = param(shared.init.head, k2, (size, vocab_size), ("embed", "vocab"))
        if spec.bias:
            self.bias = param(jax.nn.initializers.zeros, k2, (vocab_size,), ("vocab",))

    def __call__(self, hidden: jax.Array, table: jax.Array | None) -> jax.Array:
        """`[..., d_model]` -> float32 `[..., vocab_size]`; `table` is that of tokens, if tied."""
        x = self.transform(hidden) if self._spec.transform else hidden
        if self._spec.scaled:
            x = x * (x.shape[-1] ** -0.5)
        if table is None:
            kernel = gathered(self.kernel[...].astype(x.dtype), ("embed", "vocab"))
        else:
            kernel = gathered(table.astype(x.dtype), ("vocab", "embed")).T
        logits = (flattened(x) @ kernel).astype(jnp.float32)
        logits = split(logits, *[None] * (logits.ndim - 1), "vocab")
        if self._spec.bias:
            logits = logits + jnp.expand_dims(self.bias[...], range(logits.ndim - 1))
        if self._spec.soft_cap:
            logits = self._spec.soft_cap * jnp.tanh(logits / self._spec.soft_cap)
        return logits.reshape(*hidden.shape[:-1], -1)


class _Transform(nnx.Module):
    def __init__(self, spec: HeadTransform, d_model: int, size: int, shared: Shared, key):
        self._activation = spec.activation
        init, axes = shared.init.head, ("embed", "head")
        self.dense = Dense(d_model, size, axes, key=key, init=init, bias=True)
        self.norm = spec.norm.build(size)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.norm(ACTIVATIONS[self._activation](self.dense(x)))


@dataclasses.dataclass(frozen=True)
class SequenceClasses:
    """A class per sequence, from the vector at one position (BERT's pooler and classifier).

    Attributes:
      num_classes: None for the pooled vector itself.
      activation: of the dense layer in front.
      position: "first", or "last" token that is no padding.
    """

    num_classes: int | None
    activation: str = "tanh"
    position: str = "first"

    name: ClassVar[str] = "sequence_head"

    def __post_init__(self):
        at_least_one(self, "num_classes")
        check_activation("SequenceClasses.activation", self.activation)
        one_of("SequenceClasses.position", self.position, ("first", "last"))

    def build(self, d_model: int, vocab_size: int, shared: Shared, key: jax.Array) -> nnx.Module:
        return _ClassifierLayer(d_model, self.num_classes, self.activation, shared, key)

    def gather(self, hidden: jax.Array, segments: jax.Array) -> jax.Array:
        """`[batch, length, d_model]` -> `[batch, d_model]`; `segments` are 0 at padding."""
        if self.position == "first":
            return hidden[:, 0]
        last = jnp.max(jnp.arange(segments.shape[1])[None] * (segments > 0), axis=1)
        return jnp.take_along_axis(hidden, last[:, None, None], axis=1)[:, 0]


@dataclasses.dataclass(frozen=True)
class TokenClasses:
    """A class per token.

    Attributes:
      num_classes: 1 for a yes or no, such as ELECTRA's "replaced".
      activation: of a dense layer in front; None for no such layer.
    """

    num_classes: int
    activation: str | None = None

    name: ClassVar[str] = "token_head"

    def __post_init__(self):
        at_least_one(self, "num_classes")
        if self.activation is not None:
            check_activation("TokenClasses.activation", self.activation)

    def build(self, d_model: int, vocab_size: int, shared: Shared, key: jax.Array) -> nnx.Module:
        return _ClassifierLayer(d_model, self.num_classes, self.activation, shared, key)

    def gather(self, hidden: jax.Array, segments: jax.Array) -> jax.Array:
        """All positions."""
        return hidden


@dataclasses.dataclass(frozen=True)
class Spans:
    """Two logits per token: an answer's first and last token (BERT, section 4.2)."""

    name: ClassVar[str] = "span_head"

    def build(self, d_model: int, vocab_size: int, shared: Shared, key: jax.Array) -> nnx.Module:
        return _ClassifierLayer(d_model, 2, None, shared, key)

    def gather(self, hidden: jax.Array, segments: jax.Array) -> jax.Array:
        """All positions."""
        return hidden


ClassifierHead = SequenceClasses | TokenClasses | Spans
Head = LMHead | ClassifierHead


class _ClassifierLayer(nnx.Module):
    """`out(dropout(activation(dense(x))))`, without dense layer or `out` if there is none."""

    def __init__(
        self,
        d_model: int,
        num_classes: int | None,
        activation: str | None,
        shared: Shared,
        key: jax.Array,
    ):
        k1, k2 = jax.random.split(key)
        self._activation, self._num_classes = activation, num_classes
        self._dropout = shared.dropout
        init = shared.init.head
        if activation:
            axes = ("embed", "head")
            self.dense = Dense(d_model, d_model, axes, key=k1, init=init, bias=True)
        if num_classes:
            axes = ("embed", "classes")
            self.out = Dense(d_model, num_classes, axes, key=k2, init=init, bias=True)

    def __call__(self, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """`[..., d_model]` -> float32 `[..., num_classes]`, or the pooled vector."""
        if self._activation:
            x = ACTIVATIONS[self._activation](self.dense(x))
        x = dropout(x, self._dropout.head, key, shared_over_length=False)
        return (self.out(x) if self._num_classes else x).astype(jnp.float32)
