"""What beam search divides log-probabilities by, so that short sequences do not win by length."""

import abc
import dataclasses
import math

from t2t.errors import UserError


class LengthPenalty(abc.ABC):
    """A positive number for every length; longer hypotheses win where it grows."""

    @abc.abstractmethod
    def __call__(self, length: int) -> float:
        """For `length` generated tokens, at least 1, the end of sequence included."""


@dataclasses.dataclass(frozen=True)
class BrevityPenalty(LengthPenalty):
    """((5 + length) / 6) ** alpha, as T5X and GNMT (https://arxiv.org/abs/1609.08144, section 7).

    Attributes:
      alpha: 0 for none; below 0, short hypotheses win.

    Raises:
      UserError: if alpha is not finite.
    """

    alpha: float = 0.6

    def __post_init__(self):
        _check_finite("BrevityPenalty.alpha", self.alpha)

    def __call__(self, length: int) -> float:
        return ((5 + length) / 6) ** self.alpha


@dataclasses.dataclass(frozen=True)
class LengthPower(LengthPenalty):
    """length ** exponent, as Hugging Face has it (`length_penalty`).

    Attributes:
      exponent: 1 for the mean log-probability of a token, 0 for the sum; below 0, short hypotheses
        win.

    Raises:
      UserError: if it is not finite.
    """

    exponent: float = 1.0

    def __post_init__(self):
        _check_finite("LengthPower.exponent", self.exponent)

    def __call__(self, length: int) -> float:
        return float(length) ** self.exponent


def _check_finite(name: str, value: float) -> None:
    if not math.isfinite(value):
        raise UserError(f"{name} must be a finite number, got {value}.")
