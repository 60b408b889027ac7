"""Learning rate by step: functions of the number of updates done.

The common ones have a linear warm-up; `product_schedule`, `piecewise_schedule` and
`cooldown_schedule` make others of them.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp
import optax

from t2t.errors import UserError

Schedule: TypeAlias = Callable[[int | jax.Array], float | jax.Array]
"""Learning rate of the update after that many."""

Shape: TypeAlias = Literal["linear", "cosine", "sqrt"]


def _after_warmup(schedule: Schedule, peak: float, warmup_steps: int) -> Schedule:
    if warmup_steps < 0:
        raise UserError(f"warmup_steps must be 0 or more, got {warmup_steps}.")
    if not warmup_steps:
        return schedule
    warmup = optax.linear_schedule(0.0, peak, warmup_steps)
    # The step after n updates is the (n+1)-th, so a rate of exactly 0 never wastes a step.
    return optax.join_schedules([lambda step: warmup(step + 1), schedule], [warmup_steps])


def _decay_steps(warmup_steps: int, total_steps: int) -> int:
    if total_steps <= warmup_steps:
        raise UserError(
            f"total_steps ({total_steps}) must be above warmup_steps ({warmup_steps}) to decay. "
            f"For a short run, give its schedule fewer warmup_steps."
        )
    return total_steps - warmup_steps


def constant_schedule(peak: float, warmup_steps: int = 0) -> Schedule:
    """`peak` for ever; T5 fine-tunes with 1e-3."""
    return _after_warmup(optax.constant_schedule(peak), peak, warmup_steps)


def linear_schedule(
    peak: float, total_steps: int, warmup_steps: int = 0, end: float = 0.0
) -> Schedule:
    """Falls in a straight line from `peak` to `end` at `total_steps`."""
    steps = _decay_steps(warmup_steps, total_steps)
    return _after_warmup(optax.linear_schedule(peak, end, steps), peak, warmup_steps)


def cosine_schedule(
    peak: float, total_steps: int, warmup_steps: int = 0, end: float = 0.0
) -> Schedule:
    """Falls along half a cosine from `peak` to `end` at `total_steps`."""
    steps = _decay_steps(warmup_steps, total_steps)
    decay = optax.cosine_decay_schedule(peak, steps, alpha=end / peak)
    return _after_warmup(decay, peak, warmup_steps)


def rsqrt_schedule(scale: float = 1.0, warmup_steps: int = 10_000) -> Schedule:
    """`scale / sqrt(max(step, warmup_steps))`: T5's pretraining schedule, flat at first."""
    if warmup_steps < 1:
        raise UserError(f"rsqrt needs warmup_steps of at least 1, got {warmup_steps}.")

    return lambda step: scale * jnp.maximum(step, warmup_steps).astype(jnp.float32) ** -0.5


def warmup_schedule(warmup_steps: int) -> Schedule:
    """Rises in a straight line to 1, and stays; to multiply others with."""
    return constant_schedule(1.0, warmup_steps)


def wsd_schedule(
    peak: float,
    total_steps: int,
    decay_steps: int,
    warmup_steps: int = 0,
    end: float = 0.0,
    shape: Shape = "linear",
) -> Schedule:
    """Warm-up, stable, decay (https://arxiv.org/abs/2404.06395, section 4.2).

    A run may be prolonged from any checkpoint before the decay.

    Args:
      peak: rate between warm-up and decay.
      total_steps: where `end` is reached.
      decay_steps: how many of them, the last, decay.
      warmup_steps: how many, the first, rise.
      end: rate at `total_steps`.
      shape: of the decay; see `cooldown_schedule`.
    """
    stable = constant_schedule(peak, warmup_steps)
    if decay_steps > total_steps - warmup_steps:
        raise UserError(
            f"wsd_schedule: {warmup_steps} warmup_steps and {decay_steps} decay_steps are more "
            f"than the {total_steps} total_steps."
        )
    return cooldown_schedule(stable, total_steps, decay_steps, end, shape)


def cooldown_schedule(
    schedule: Schedule,
    total_steps: int,
    cooldown_steps: int,
    end: float = 0.0,
    shape: Shape = "linear",
) -> Schedule:
    """Another schedule, which falls to `end` over the last steps.

    With `rsqrt_schedule`, a tenth of the steps and "linear" it is the one of T5's first paper.

    Args:
      schedule: the rate before; meanwhile it is multiplied.
      total_steps: where `end` is reached.
      cooldown_steps: how many of them, the last, decay.
      end: rate at `total_steps`.
      shape: what is left after a share x of the steps: "linear" 1 - x, "cosine"
        (1 + cos(pi x)) / 2, "sqrt" 1 - sqrt(x) (https://arxiv.org/abs/2405.18392, section 3.3).

    Raises:
      UserError: if there are not so many steps, or no such shape.
    """
    if not 0 < cooldown_steps <= total_steps:
        raise UserError(
            f"The last {cooldown_steps} of {total_steps} total_steps cannot decay: it must be "
            f"between 1 and {total_steps}."
        )
    if shape not in _LEFT:
        raise UserError(f"No shape of decay is called '{shape}': {', '.join(_LEFT)}.")

    def rate(step):
        share = jnp.clip((step - (total_steps - cooldown_steps)) / cooldown_steps, 0.0, 1.0)
        return end + (schedule(step) - end) * _LEFT[shape](share)

    return rate


_LEFT: dict[str, Callable] = {
    "linear": lambda share: 1.0 - share,
    "cosine": lambda share: (1.0 + jnp.cos(math.pi * share)) / 2.0,
    "sqrt": lambda share: 1.0 - jnp.sqrt(share),
}


def product_schedule(factors: Sequence[Schedule]) -> Schedule:
    """All rates multiplied, as in T5X's "constant * linear_warmup * rsqrt_decay"."""
    if not factors:
        raise UserError("product_schedule.factors is empty.")
    return lambda step: math.prod(factor(step) for factor in factors)


def piecewise_schedule(schedules: Sequence[Schedule], boundaries: Sequence[int]) -> Schedule:
    """One schedule after the other; each counts its own steps from 0.

    Args:
      schedules: in their order.
      boundaries: the steps at which the second, third ... begins.

    Raises:
      UserError: unless there is one boundary fewer than schedules, and they rise.
    """
    starts = [0, *boundaries]
    if len(starts) != len(schedules) or any(a >= b for a, b in itertools.pairwise(starts)):
        raise UserError(
            f"piecewise_schedule needs rising boundaries above 0, one between each two of its "
            f"{len(schedules)} schedules, got {list(boundaries)}."
        )
    return optax.join_schedules(list(schedules), list(boundaries))
