"""Lower rotary frequencies, so that a model takes more positions than it was first trained on."""

import abc
import dataclasses
import math

import numpy as np

from t2t.errors import UserError
from t2t.models.config import at_least


class RotaryScaling(abc.ABC):
    """One way to lower the frequencies of `RoPE`."""

    @abc.abstractmethod
    def scaled(self, frequencies: np.ndarray, theta: float) -> np.ndarray:
        """float32 `[pairs]`, falling from 1, in radians per position -> the lowered ones."""

    @property
    def amplitude(self) -> float:
        """What turned queries and keys are multiplied by."""
        return 1.0


@dataclasses.dataclass(frozen=True)
class LinearScaling(RotaryScaling):
    """Positions divided by `factor` (position interpolation, https://arxiv.org/abs/2306.15595)."""

    factor: float

    def __post_init__(self):
        at_least(self, 1, "factor")

    def scaled(self, frequencies: np.ndarray, theta: float) -> np.ndarray:
        return frequencies / np.float32(self.factor)


@dataclasses.dataclass(frozen=True)
class Llama3Scaling(RotaryScaling):
    """Long waves are divided by `factor`, short ones kept (Llama 3.1's released code).

    Those that turn fewer than `low_freq_factor` times over the original length are long, those
    that turn more than `high_freq_factor` times are short; in between, the number of turns blends.
    """

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_max_position_embeddings: int

    def __post_init__(self):
        at_least(self, 1, "factor", "original_max_position_embeddings")
        if not 0 < self.low_freq_factor < self.high_freq_factor:
            raise UserError(
                f"Llama3Scaling needs 0 < low_freq_factor < high_freq_factor, got "
                f"{self.low_freq_factor} and {self.high_freq_factor}."
            )

    def scaled(self, frequencies: np.ndarray, theta: float) -> np.ndarray:
        turns = frequencies * self.original_max_position_embeddings / (2 * math.pi)
        span = self.high_freq_factor - self.low_freq_factor
        kept = np.clip((turns - self.low_freq_factor) / span, 0, 1)
        return _blended(frequencies, self.factor, kept)


@dataclasses.dataclass(frozen=True)
class YarnScaling(RotaryScaling):
    """NTK-by-parts interpolation and sharper attention (YaRN, https://arxiv.org/abs/2309.00071).

    Section 3.2, with the ramp over the index of the frequency as in the authors' code, and 3.4.

    Attributes:
      factor: how much longer sequences become.
      original_max_position_embeddings: the length before.
      beta_fast: frequencies that turn so often over that length are kept.
      beta_slow: those that turn so rarely are divided by `factor`.
      attention_factor: what turned queries and keys are multiplied by; None for the paper's
        0.1 ln(factor) + 1.
      truncate: round the ends of the ramp outwards to whole indices.
    """

    factor: float
    original_max_position_embeddings: int
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    attention_factor: float | None = None
    truncate: bool = True

    def __post_init__(self):
        at_least(self, 1, "factor", "original_max_position_embeddings")
        if not 0 < self.beta_slow < self.beta_fast:
            raise UserError(
                f"YarnScaling needs 0 < beta_slow < beta_fast, got {self.beta_slow} and "
                f"{self.beta_fast}."
            )

    def scaled(self, frequencies: np.ndarray, theta: float) -> np.ndarray:
        features = 2 * len(frequencies)

        def index(turns: float) -> float:
            """Where in `frequencies` waves turn so often over the original length."""
            wavelength = self.original_max_position_embeddings / (turns * 2 * math.pi)
            return features * math.log(wavelength) / (2 * math.log(theta))

        low, high = index(self.beta_fast), index(self.beta_slow)
        if self.truncate:
            low, high = math.floor(low), math.ceil(high)
        low, high = max(low, 0), min(high, features - 1)
        width = high - low or 0.001
        ramp = (np.arange(len(frequencies), dtype=np.float32) - np.float32(low)) / np.float32(width)
        return _blended(frequencies, self.factor, 1 - np.clip(ramp, 0, 1))

    @property
    def amplitude(self) -> float:
        if self.attention_factor is None:
            return 0.1 * math.log(self.factor) + 1.0
        return self.attention_factor


def _blended(frequencies: np.ndarray, factor: float, kept: np.ndarray) -> np.ndarray:
    """The share `kept` of each frequency as it is, the rest divided by `factor`."""
    return (1 - kept) * (frequencies / np.float32(factor)) + kept * frequencies
