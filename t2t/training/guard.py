"""Updates that would do harm are left out: NaN, infinity, and sudden peaks of the loss.

The decision is taken on the device, in the step itself, so that nothing waits for it.
"""

import dataclasses
from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from t2t.errors import UserError


class GuardState(NamedTuple):
    """What the guard remembers from step to step, part of the training state; scalars.

    Attributes:
      mean: float32, running mean of the loss per item over updates that were done.
      variance: float32, running variance of it.
      seen: int32, how many losses these are of.
      skipped: int32, updates left out so far.
      in_a_row: int32, updates left out since the last that was done.
    """

    mean: Any = np.zeros((), np.float32)
    variance: Any = np.zeros((), np.float32)
    seen: Any = np.zeros((), np.int32)
    skipped: Any = np.zeros((), np.int32)
    in_a_row: Any = np.zeros((), np.int32)


@dataclasses.dataclass(frozen=True)
class Guard:
    """When an update is left out, and what happens when that goes on.

    A step whose loss, gradient or update is NaN or infinite changes neither parameters nor
    optimiser state; only the step counts on, so that data and dropout move on. So does, if asked
    for, one whose loss peaks. After `limit` such steps in a row training goes back to the last
    checkpoint and leaves out the batches since; after `rollbacks` of these it stops.
    `Guard(limit=1, rollbacks=0)` stops at the first.

    Attributes:
      deviations: a loss more than this many standard deviations above its running mean is a peak;
        None: peaks are let through.
      warmup: losses seen before peaks are looked for.
      memory: steps that mean and deviation are over, exponentially weighted; of fewer, all alike.
      limit: updates left out in a row that are too many.
      rollbacks: how often training may go back, in the whole run.
    """

    deviations: float | None = None
    warmup: int = 100
    memory: int = 100
    limit: int = 10
    rollbacks: int = 3

    def __post_init__(self):
        if self.deviations is not None and not self.deviations > 0:
            raise UserError(f"Guard.deviations must be above 0 (or None), got {self.deviations}.")
        least = {"warmup": 2, "memory": 2, "limit": 1, "rollbacks": 0}
        for name, value in least.items():
            if getattr(self, name) < value:
                raise UserError(
                    f"Guard.{name} must be at least {value}, got {getattr(self, name)}."
                )

    def judge(
        self, state: GuardState, loss: jax.Array, items: jax.Array, norms: Iterable[jax.Array]
    ) -> tuple[jax.Array, GuardState]:
        """Whether to do the update (a bool scalar), and what to remember of the step.

        Mean and variance are updated incrementally, as in T. Finch, "Incremental calculation of
        weighted mean and variance" (2009), section 9.

        Args:
          state: before the step.
          loss: sum of the main term over its items; float32 scalar.
          items: their number; a step with none has no loss to learn from.
          norms: of gradient and update.
        """
        mean_loss = loss / jnp.maximum(items, 1.0)
        accepted = jnp.isfinite(mean_loss)
        for norm in norms:
            accepted &= jnp.isfinite(norm)
        excess = mean_loss - state.mean
        if self.deviations is not None:
            peak = excess > self.deviations * jnp.sqrt(state.variance)
            accepted &= ~(peak & (state.seen >= self.warmup) & (items > 0))

        learns = accepted & (items > 0)
        share = jnp.maximum(1.0 / (state.seen + 1.0), 1.0 / self.memory)
        mean = state.mean + share * excess
        variance = (1.0 - share) * (state.variance + share * jnp.square(excess))
        return accepted, GuardState(
            mean=jnp.where(learns, mean, state.mean),
            variance=jnp.where(learns, variance, state.variance),
            seen=state.seen + learns,
            skipped=state.skipped + ~accepted,
            in_a_row=jnp.where(accepted, 0, state.in_a_row + 1),
        )
