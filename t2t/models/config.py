"""Settings that all architectures have in common, and how settings are checked."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from t2t.errors import UserError, did_you_mean

REMAT_POLICIES = ("none", "minimal", "full")
DTYPES = ("float32", "bfloat16")
ATTENTION_IMPLEMENTATIONS = ("xla", "cudnn")


@dataclasses.dataclass(frozen=True)
class SpecialTokens:
    """Ids with a meaning to the model; None for those that it does not have.

    Attributes:
      pad: fills up rows; nothing attends to it.
      eos: ends a sequence.
      bos: begins one, where the system has such a token.
      start: what a decoder sees first, in training and when it generates.
    """

    pad: int | None = 0
    eos: int | None = 1
    bos: int | None = None
    start: int = 0


@dataclasses.dataclass(frozen=True)
class Dropout:
    """Where activations are dropped in training, and how often.

    Attributes:
      embedding: sums of embeddings, before the first layer.
      attention: weights of attention, after the softmax.
      hidden: activations inside feed-forward layers.
      residual: what attention and feed-forward layers add to the residual stream.
      final: after the last norm of a stack.
      head: what classifiers read.
      shared_over_length: one mask for all positions of a sequence, as Mesh T5 and T5X do.
    """

    embedding: float = 0.0
    attention: float = 0.0
    hidden: float = 0.0
    residual: float = 0.0
    final: float = 0.0
    head: float = 0.0
    shared_over_length: bool = False

    def __post_init__(self):
        for name, rate in self._rates().items():
            if not 0 <= rate < 1:
                raise UserError(f"Dropout.{name} must be in [0, 1), got {rate}.")

    def __bool__(self) -> bool:
        return any(self._rates().values())

    def _rates(self) -> dict[str, float]:
        return {k: v for k, v in vars(self).items() if k != "shared_over_length"}


@dataclasses.dataclass(frozen=True)
class Compute:
    """How a model is computed; the meaning of its parameters does not depend on it.

    Attributes:
      dtype: of activations and matrix products; parameters are float32.
      remat: what the backward pass computes again: "none", "minimal" (all but matrix products) or
        "full".
      attention: "xla", everywhere; "cudnn", the fused kernel of NVIDIA GPUs.
    """

    dtype: str = "float32"
    remat: str = "none"
    attention: str = "xla"

    def __post_init__(self):
        one_of("Compute.dtype", self.dtype, DTYPES)
        one_of("Compute.remat", self.remat, REMAT_POLICIES)
        one_of("Compute.attention", self.attention, ATTENTION_IMPLEMENTATIONS)


def one_of(where: str, value: str, valid: Sequence[str]) -> None:
    """Raises UserError unless `value` is one of `valid`."""
    if value not in valid:
        raise UserError(
            f"{where}: '{value}' is none of {', '.join(valid)}." + did_you_mean(value, valid)
        )


def at_least(spec: Any, minimum: float, *names: str) -> None:
    """Raises UserError unless each of these fields is `minimum` or more (or None)."""
    for name in names:
        value = getattr(spec, name)
        if value is not None and value < minimum:
            raise UserError(
                f"{type(spec).__name__}.{name} must be at least {minimum}, got {value}."
            )


def at_least_one(spec: Any, *names: str) -> None:
    """Raises UserError unless each of these fields is at least 1 (or None)."""
    at_least(spec, 1, *names)
