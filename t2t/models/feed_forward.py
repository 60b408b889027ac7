"""Feed-forward layers, plain and gated."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from flax import nnx

from t2t.errors import UserError
from t2t.models.activation_sharding import split
from t2t.models.activations import ACTIVATIONS, check_activation
from t2t.models.config import at_least_one
from t2t.models.layers import Dense, dropout
from t2t.models.shared import Shared


@dataclasses.dataclass(frozen=True)
class FeedForward:
    """`wo(act_0(wi_0 x) * act_1(wi_1 x))`; with one activation `wo(act(wi x))`.

    Attributes:
      d_ff: hidden units, per activation.
      activations: names; two are a gated layer (https://arxiv.org/abs/2002.05202).
      bias: of all kernels.
    """

    d_ff: int
    activations: tuple[str, ...] = ("gelu_tanh", "linear")
    bias: bool = False

    def __post_init__(self):
        at_least_one(self, "d_ff")
        if not self.activations:
            raise UserError("FeedForward.activations names no activation.")
        for name in self.activations:
            check_activation("FeedForward.activations", name)

    @property
    def branches(self) -> tuple[str, ...]:
        """Names of the kernels into the hidden units, in the order of the activations."""
        count = len(self.activations)
        return ("wi",) if count == 1 else tuple(f"wi_{i}" for i in range(count))

    def build(
        self, d_model: int, num_layers: int, shared: Shared, key: jax.Array
    ) -> "FeedForwardLayer":
        return FeedForwardLayer(self, d_model, num_layers, shared, key)


class FeedForwardLayer(nnx.Module):
    """Parameters and computation of `FeedForward`."""

    def __init__(
        self, spec: FeedForward, d_model: int, num_layers: int, shared: Shared, key: jax.Array
    ):
        self._spec, self._dropout = spec, shared.dropout
        *ins, out = jax.random.split(key, len(spec.activations) + 1)
        for name, k in zip(spec.branches, ins, strict=True):
            dense = Dense(
                d_model, spec.d_ff, ("embed", "mlp"), key=k, init=shared.init.mlp(), bias=spec.bias
            )
            setattr(self, name, dense)
        init = shared.init.residual(num_layers, attention=False)
        self.wo = Dense(spec.d_ff, d_model, ("mlp", "embed"), key=out, init=init, bias=spec.bias)

    def __call__(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        """`[batch, length, d_model]` -> the same; `key` is for dropout, None for none."""
        activated = [
            ACTIVATIONS[activation](getattr(self, name)(x))
            for name, activation in zip(self._spec.branches, self._spec.activations, strict=True)
        ]
        hidden = split(functools.reduce(jnp.multiply, activated), "batch", "length", "mlp")
        rate, together = self._dropout.hidden, self._dropout.shared_over_length
        return self.wo(dropout(hidden, rate, key, shared_over_length=together))
