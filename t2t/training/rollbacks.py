"""Going back to a checkpoint when too many updates in a row were left out.

All that is decided here follows from the log lines' metrics, which are the same however often
training was interrupted. So is what it goes back to: a checkpoint that was saved on schedule. A
process that is killed after going back and before the next checkpoint starts from the same one
with the batches of before, meets the same updates to leave out, and goes back again.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from t2t.errors import UserError
from t2t.training.checkpoints import CheckpointPolicy, Checkpoints
from t2t.training.guard import Guard
from t2t.training.start import Beginning
from t2t.training.throughput import Window

log = logging.getLogger(__name__)


class Rollback(NamedTuple):
    """Training went back after `step` to the checkpoint of step `to`.

    Attributes:
      step: whose batch is the last that is left out.
      to: of the checkpoint.
      skipped: updates that had been left out on the way from `to` to `step`.
    """

    step: int
    to: int
    skipped: int


class Rollbacks:
    """Those of a run."""

    def __init__(
        self,
        guard: Guard,
        policy: CheckpointPolicy,
        where: Path,
        began: int = 0,
        past: Sequence[Sequence[int]] = (),
    ):
        """Of earlier processes: `began`, the step before the run's first; `past`, as stored."""
        self._guard, self._policy, self._where, self._began = guard, policy, where, began
        self._past = [Rollback(*rollback) for rollback in past]

    def stored(self) -> dict[str, Any]:
        """What a checkpoint's data has of it, as JSON."""
        return {"began": self._began, "rollbacks": [list(rollback) for rollback in self._past]}

    def values(self, window: Window) -> dict[str, float]:
        """For the log: updates left out in all, and how often training went back."""
        skipped = window.skipped + sum(rollback.skipped for rollback in self._past)
        return {"guard/skipped": skipped, "guard/rollbacks": len(self._past)}

    def are_due(self, window: Window) -> bool:
        """Whether too many updates in a row were left out."""
        return any(step.in_a_row >= self._guard.limit for step in window.left_out)

    def go_back(
        self, step: int, window: Window, checkpoints: Checkpoints, begin: Callable[[], Beginning]
    ) -> Beginning:
        """Deletes what was saved since the checkpoint to go back to, and restores that.

        Args:
          step: the last one done.
          window: its metrics.
          checkpoints: of the run.
          begin: restores the newest checkpoint or, if there is none, begins afresh.

        Raises:
          UserError: if training went back as often as it may.
        """
        worst = max(window.left_out, key=lambda x: x.in_a_row)
        first = next(x for x in window.left_out if x.step > worst.step - worst.in_a_row)
        reason = (
            f"{worst.in_a_row} updates in a row were left out, since loss or gradient were NaN or "
            f"infinite or the loss peaked, as at {first}"
        )
        if len(self._past) >= self._guard.rollbacks:
            raise UserError(
                f"{reason[0].upper()}{reason[1:]}. Training went back {len(self._past)} time(s), "
                f"as often as Guard.rollbacks allows, and stops; '{self._where}' keeps the "
                f"checkpoints before it. A lower learning rate, a longer warm-up or clip_norm "
                f"usually help."
            )
        checkpoints.settle()
        target = self._target(checkpoints.steps())
        for later in checkpoints.steps():
            if target is None or later > target:
                checkpoints.delete(later)
        beginning = begin()
        to = int(beginning.state.step)
        log.warning(
            "%s. Going back from step %d to %s and leaving out the %d batches since",
            reason, step, f"the checkpoint of step {to}" if to else "the start", step - to,
        )  # fmt: skip
        guard = beginning.state.guard
        self._past.append(Rollback(step, to, window.skipped - int(guard.skipped)))
        fresh = guard._replace(in_a_row=guard.in_a_row * 0)
        return beginning._replace(state=beginning.state._replace(guard=fresh), unlogged=())

    def _target(self, steps: Sequence[int]) -> int | None:
        """The newest checkpoint that an interruption had no part in; None: the start."""
        planned = [s for s in steps if s % self._policy.every == 0 or s == self._began]
        return max(planned, default=None)
