"""Rotary positions: pairs of features of queries and keys turn with the position."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from t2t.errors import UserError
from t2t.models.positions.base import PositionModule, Positions
from t2t.models.positions.rope_scaling import RotaryScaling


@dataclasses.dataclass(frozen=True)
class RoPE(Positions):
    """Scores depend on offsets alone (RoFormer, https://arxiv.org/abs/2104.09864, section 3.2).

    Attributes:
      theta: base of the wavelengths.
      fraction: share of the features, the first ones, that turn.
      interleaved: feature 2i pairs with 2i + 1 (the paper, GPT-J, GLM) instead of i with i + half
        (GPT-NeoX, LLaMA).
      scaling: how frequencies are lowered for more positions than a model was first trained on.
    """

    theta: float = 10000.0
    fraction: float = 1.0
    interleaved: bool = False
    scaling: RotaryScaling | None = None

    def __post_init__(self):
        if self.theta <= 1:
            raise UserError(f"RoPE.theta must be above 1, got {self.theta}.")
        if not 0 < self.fraction <= 1:
            raise UserError(f"RoPE.fraction must be in (0, 1], got {self.fraction}.")

    def build(self, *, head_dim: int, **_) -> "Rotation":
        turning = int(head_dim * self.fraction)
        if turning < 2 or turning % 2:
            raise UserError(
                f"RoPE turns pairs of features, but RoPE.fraction = {self.fraction} of "
                f"Attention.head_dim = {head_dim} is {turning}; make it an even number."
            )
        return Rotation(self, turning)

    def frequencies(self, turning: int) -> np.ndarray:
        """float32 `[turning // 2]`, in radians per position, for that many turning features."""
        # Rounded to float32 at every step, as for released models: at position 10_000 the last
        # bit of a frequency is a thousandth of a radian.
        exponents = np.arange(0, turning, 2, dtype=np.float32) / np.float32(turning)
        powers = np.power(float(self.theta), exponents.astype(np.float64)).astype(np.float32)
        plain = np.float32(1) / powers
        return plain if self.scaling is None else self.scaling.scaled(plain, self.theta)


class Rotation(PositionModule):
    """The rotation of `RoPE`, computed in float32; it has no parameters."""

    def __init__(self, spec: RoPE, turning: int):
        self._spec = spec
        self._turning = turning

    @property
    def rotates(self) -> bool:
        return True

    def rotate(self, x: jax.Array, positions: jax.Array) -> jax.Array:
        spec = self._spec
        frequencies = jnp.asarray(spec.frequencies(self._turning))[None, None, :]
        angles = (positions.astype(jnp.float32)[:, :, None] * frequencies)[:, :, None, :]
        amplitude = 1.0 if spec.scaling is None else spec.scaling.amplitude
        cos, sin = jnp.cos(angles) * amplitude, jnp.sin(angles) * amplitude
        features = x[..., : self._turning]
        axis = -1 if spec.interleaved else -2
        pairs = (-1, 2) if spec.interleaved else (2, -1)
        paired = features.astype(jnp.float32).reshape(*x.shape[:-1], *pairs)
        first, second = jnp.unstack(paired, axis=axis)
        turned = jnp.stack([first * cos - second * sin, second * cos + first * sin], axis=axis)
        turned = turned.reshape(features.shape).astype(x.dtype)
        return jnp.concatenate([turned, x[..., self._turning :]], axis=-1)
