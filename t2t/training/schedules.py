"""Learning rate by step: functions of the number of updates done, all with linear warm-up."""

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
import optax

from t2t.errors import UserError

Schedule: TypeAlias = Callable[[int | jax.Array], float | jax.Array]
"""Learning rate of the update after that many."""


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
            f"total_steps ({total_steps}) must be above warmup_steps ({warmup_steps}) to decay."
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
