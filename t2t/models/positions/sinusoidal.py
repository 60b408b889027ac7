"""Sines and cosines of the position, added to the token embeddings."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from t2t.errors import UserError, did_you_mean
from t2t.models.config import at_least
from t2t.models.positions.base import PositionModule, Positions

LAYOUTS = ("interleaved", "halves", "tensor2tensor")


@dataclasses.dataclass(frozen=True)
class SinusoidalPositions(Positions):
    """Wavelengths from 2 pi to 10000 * 2 pi (https://arxiv.org/abs/1706.03762, section 3.5).

    Attributes:
      layout: "interleaved" has sine and cosine in turn, as in the paper; "halves" has all sines,
        then all cosines (Marian, Pegasus); "tensor2tensor" is "halves" with wavelengths that reach
        10000 * 2 pi exactly (fairseq, M2M-100).
      offset: the number of the first position (fairseq: 2).
    """

    layout: str = "interleaved"
    offset: int = 0

    def __post_init__(self):
        at_least(self, 0, "offset")
        if self.layout not in LAYOUTS:
            raise UserError(
                f"SinusoidalPositions.layout: '{self.layout}' is none of {', '.join(LAYOUTS)}."
                + did_you_mean(self.layout, LAYOUTS)
            )

    def build(self, *, d_model: int, **_) -> "Sinusoids":
        if d_model % 2 or d_model < 4:
            raise UserError(f"SinusoidalPositions needs an even d_model from 4 on, got {d_model}.")
        return Sinusoids(self, d_model)


class Sinusoids(PositionModule):
    """The vectors of `SinusoidalPositions`, without parameters."""

    def __init__(self, spec: SinusoidalPositions, d_model: int):
        self._spec = spec
        self._d_model = d_model

    def embed(self, positions: jax.Array, block_positions: jax.Array | None = None) -> jax.Array:
        half = self._d_model // 2
        steps = half - 1 if self._spec.layout == "tensor2tensor" else half
        frequencies = (10000.0 ** (-np.arange(half) / steps)).astype(np.float32)
        numbers = (positions + self._spec.offset).astype(jnp.float32)
        angles = numbers[:, :, None] * jnp.asarray(frequencies)[None, None, :]
        axis = -1 if self._spec.layout == "interleaved" else -2
        both = jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=axis)
        return both.reshape(*positions.shape, self._d_model)
