"""When to save, what to keep, and what to do if saving fails."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from orbax.checkpoint import checkpoint_managers

from t2t.errors import UserError, did_you_mean


@dataclasses.dataclass(frozen=True)
class CheckpointPolicy:
    """When to save, and what to keep; a checkpoint is kept if any rule asks for it.

    Attributes:
      every: steps between checkpoints; the last step is always saved.
      keep_latest: how many of the newest to keep; beside them, if interruptions saved these, the
        newest of a multiple of `every`, which training can go back to, or the first until there is
        one.
      keep_every: also keep the multiples of this many steps, for ever.
      keep_best: how many of the best by `best_metric` to keep.
      best_metric: "loss" (mean over tasks) or "<task>/<metric>", of the evaluation at that step.
      best_mode: "min" or "max".
      on_failure: "stop" training if a checkpoint cannot be saved; or "continue", with a line in
        the log, and try again at the next; then the last one has to succeed. Several processes
        stop, since those that can save wait for the one that cannot.
    """

    every: int = 1000
    keep_latest: int = 2
    keep_every: int | None = None
    keep_best: int = 0
    best_metric: str = "loss"
    best_mode: str = "min"
    on_failure: str = "stop"

    def __post_init__(self):
        if self.every < 1 or self.keep_latest < 1 or self.keep_best < 0:
            raise UserError(
                "CheckpointPolicy needs every >= 1, keep_latest >= 1 and keep_best >= 0, got "
                f"{self.every}, {self.keep_latest} and {self.keep_best}."
            )
        if self.best_mode not in ("min", "max"):
            raise UserError(f"best_mode is '{self.best_mode}', must be 'min' or 'max'.")
        if self.on_failure not in ("stop", "continue"):
            raise UserError(f"on_failure is '{self.on_failure}', must be 'stop' or 'continue'.")

    def check_metrics(self, metrics: Mapping[str, float] | None) -> None:
        """Raises UserError if there are metrics, but not the one that the best are chosen by."""
        if self.keep_best and metrics and self.best_metric not in metrics:
            raise UserError(
                f"CheckpointPolicy.best_metric = '{self.best_metric}', but the evaluation gave "
                f"{', '.join(sorted(metrics))}.{did_you_mean(self.best_metric, metrics)}"
            )

    def preservation(self, metrics: Mapping[int, Mapping[str, float]]) -> Any:
        """The rules of what to keep, for Orbax.

        Args:
          metrics: by step, of all checkpoints; looked up at each save.
        """
        rules: list[Any] = [checkpoint_managers.LatestN(self.keep_latest), _Planned(self.every)]
        if self.keep_every:
            rules.append(checkpoint_managers.EveryNSteps(self.keep_every))
        if self.keep_best:
            rules.append(_Best(self, metrics))
        return checkpoint_managers.AnyPreservationPolicy(rules)


@dataclasses.dataclass(frozen=True)
class _Planned:
    """Keeps the newest of those that are multiples of `every`; the first until there is one."""

    every: int

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> list[bool]:
        """Which of the checkpoints to keep."""
        del context
        steps = [checkpoint.step for checkpoint in checkpoints]
        planned = [step for step in steps if step % self.every == 0]
        kept = max(planned) if planned else min(steps, default=None)
        return [step == kept for step in steps]


@dataclasses.dataclass(frozen=True)
class _Best:
    """Keeps the best; those without the metric, or where it is NaN, are not among them.

    Orbax's own rule needs metrics that Orbax read, which fails for all if one file is damaged, and
    forgets those of a manager that was closed.
    """

    policy: CheckpointPolicy
    metrics: Mapping[int, Mapping[str, float]]

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> list[bool]:
        """Which of the checkpoints to keep."""
        del context
        policy = self.policy
        known = {c.step: self.metrics.get(c.step, {}) for c in checkpoints}
        kept = best_steps(known, policy.best_metric, policy.best_mode)[: policy.keep_best]
        return [checkpoint.step in kept for checkpoint in checkpoints]


def best_steps(metrics: Mapping[int, Mapping[str, float]], metric: str, mode: str) -> list[int]:
    """Steps by `metric`, the best first, of equal ones the later; without those that lack it."""
    sign = 1 if mode == "min" else -1
    scores = {step: values.get(metric, math.nan) for step, values in metrics.items()}
    known = [step for step, score in scores.items() if not math.isnan(score)]
    return sorted(known, key=lambda step: (sign * scores[step], -step))
