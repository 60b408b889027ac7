"""How parameters begin."""

import abc
import dataclasses
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

Initializer = Callable[[jax.Array, Sequence[int], jnp.dtype], jax.Array]


class Init(abc.ABC):
    """Initialisers by what a parameter is for; each is called with key, shape and dtype."""

    embedding: Initializer
    """Tables of tokens."""
    table: Initializer
    """Other tables: learned positions, token types."""
    head: Initializer
    """Projections to logits and classes."""

    @abc.abstractmethod
    def attention(self, logit_scale: float) -> Initializer:
        """Queries, keys and values; `logit_scale` is what should be folded into this kernel."""

    @abc.abstractmethod
    def mlp(self) -> Initializer:
        """Into the hidden units of a feed-forward layer."""

    @abc.abstractmethod
    def residual(self, num_layers: int, *, attention: bool) -> Initializer:
        """Kernels whose output is added to the residual stream of a stack of `num_layers`."""


@dataclasses.dataclass(frozen=True)
class FanInInit(Init):
    """T5: variances of 1 / inputs, and token embeddings of variance 1 (Mesh TensorFlow's)."""

    embedding = staticmethod(jax.nn.initializers.normal(1.0))
    table = staticmethod(jax.nn.initializers.normal(0.02))
    head = staticmethod(jax.nn.initializers.variance_scaling(1.0, "fan_in", "truncated_normal"))

    def attention(self, logit_scale: float) -> Initializer:
        normal = jax.nn.initializers.variance_scaling(1.0, "fan_in", "normal")
        return lambda *arguments: normal(*arguments) * logit_scale

    def mlp(self) -> Initializer:
        return self.head

    def residual(self, num_layers: int, *, attention: bool) -> Initializer:
        return self.attention(1.0) if attention else self.mlp()


@dataclasses.dataclass(frozen=True)
class NormalInit(Init):
    """One normal distribution for all matrices, as BERT, BART, GPT-2 and LLaMA have it.

    Attributes:
      stddev: of all kernels and tables.
      scaled_residual: outputs of residual branches start (2 num_layers) ** -0.5 smaller (GPT-2,
        section 2.3).
    """

    stddev: float = 0.02
    scaled_residual: bool = False

    @property
    def embedding(self) -> Initializer:  # type: ignore[override]
        return jax.nn.initializers.normal(self.stddev)

    table = head = embedding  # type: ignore[assignment]

    def attention(self, logit_scale: float) -> Initializer:
        return self.embedding

    def mlp(self) -> Initializer:
        return self.embedding

    def residual(self, num_layers: int, *, attention: bool) -> Initializer:
        shrink = (2 * num_layers) ** -0.5 if self.scaled_residual else 1.0
        return jax.nn.initializers.normal(self.stddev * shrink)
