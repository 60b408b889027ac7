"""Processors that reshape a distribution before a token is drawn from it."""

import dataclasses
import math

import jax
import jax.numpy as jnp

from t2t.decoding.history import History
from t2t.decoding.top_k import top_k
from t2t.errors import UserError

_BITS_OF_ONE = 0x3F800000  # of the float32 1.0; less than 2 ** 30


@dataclasses.dataclass(frozen=True)
class Temperature:
    """Logits divided by `t`: below 1, likely tokens become likelier still."""

    t: float

    def __post_init__(self):
        if not 0 < self.t < math.inf:
            raise UserError(
                f"temperature must be above 0 and finite, got {self.t}. As it goes to 0, sampling "
                f"becomes greedy decoding: use Greedy(), or no flag of sampling at all."
            )

    def __call__(self, logits: jax.Array, history: History) -> jax.Array:
        return logits / self.t


@dataclasses.dataclass(frozen=True)
class TopK:
    """The `k` likeliest tokens, and those as likely as the last of them.

    Fan et al., 2018, https://arxiv.org/abs/1805.04833, section 5.4.
    """

    k: int

    def __post_init__(self):
        if self.k < 1:
            raise UserError(f"top_k must be at least 1, got {self.k}.")

    def __call__(self, logits: jax.Array, history: History) -> jax.Array:
        best = top_k(logits, min(self.k, logits.shape[-1]))[0]
        return _kept(logits, logits >= best[:, -1:])


@dataclasses.dataclass(frozen=True)
class TopP:
    """The likeliest tokens that reach `p` together, and those as likely as the last of them.

    Nucleus sampling (Holtzman et al., 2020, https://arxiv.org/abs/1904.09751, section 3.1).
    """

    p: float

    def __post_init__(self):
        if not 0 < self.p <= 1:
            raise UserError(f"top_p must be in (0, 1], got {self.p}.")

    def __call__(self, logits: jax.Array, history: History) -> jax.Array:
        if self.p == 1:  # sums of rounded probabilities may reach 1 before the last token
            return logits
        probabilities = jax.nn.softmax(logits, axis=-1)
        # Floats that are not negative are ordered as their bits are, so that the least probability
        # with less than p above it is found by halving: many times faster than sorting.
        bits = jax.lax.bitcast_convert_type(probabilities, jnp.int32)

        def halve(_, bounds: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            low, high = bounds
            middle = (low + high) // 2
            above = jnp.where(bits > middle, probabilities, 0.0)
            is_kept = jnp.sum(above, axis=-1, keepdims=True) < self.p
            return jnp.where(is_kept, low, middle + 1), jnp.where(is_kept, middle, high)

        low = jnp.zeros_like(bits[:, :1])
        _, least = jax.lax.fori_loop(0, 30, halve, (low, low + _BITS_OF_ONE))
        return _kept(logits, bits >= least)


@dataclasses.dataclass(frozen=True)
class MinP:
    """Tokens at least `p` times as likely as the likeliest.

    Nguyen et al., 2024, https://arxiv.org/abs/2407.01082, section 3.
    """

    p: float

    def __post_init__(self):
        if not 0 <= self.p <= 1:
            raise UserError(f"min_p must be in [0, 1], got {self.p}.")

    def __call__(self, logits: jax.Array, history: History) -> jax.Array:
        if self.p == 0:
            return logits
        likeliest = jnp.max(logits, axis=-1, keepdims=True)
        return _kept(logits, logits >= likeliest + math.log(self.p))


def _kept(logits: jax.Array, keep: jax.Array) -> jax.Array:
    return jnp.where(keep, logits, -jnp.inf)
