"""What a training run shows while it runs: a live bar on a terminal, plain lines elsewhere."""

import datetime
from collections.abc import Mapping

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress

from t2t.evaluation.evaluator import TaskResult


class Progress:
    """Steps done, loss per task, target tokens per second, time left."""

    def __init__(self, first_step: int, total_steps: int, *, enabled: bool = True):
        self._total = total_steps
        self._first = first_step
        self._enabled = enabled
        self._console = Console(soft_wrap=True, highlight=False)
        self._started = datetime.datetime.now()
        self._bar = RichProgress(
            TextColumn("training"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[status]}"),
            console=self._console,
        )
        self._task = self._bar.add_task("", total=total_steps, completed=first_step, status="")
        self._live = enabled and self._console.is_terminal

    def __enter__(self) -> "Progress":
        if self._live:
            self._bar.start()
        elif self._enabled:
            self._console.print(f"training from step {self._first} to {self._total}")
        return self

    def __exit__(self, *_):
        if self._live:
            self._bar.stop()

    def update(self, step: int, values: Mapping[str, float]) -> None:
        """Shows the averages since the last log line."""
        if not self._enabled:
            return
        tasks = {
            name.split("/")[1]: value
            for name, value in values.items()
            if name.count("/") == 2 and name.endswith("/loss")
        }
        losses = "  ".join(f"{name} {value:.3f}" for name, value in tasks.items())
        status = f"loss: {losses}  {values['train/target_tokens_per_second']:,.0f} target tokens/s"
        if self._live:
            self._bar.update(self._task, completed=step, status=status)
            return
        done = max(step - self._first, 1)
        left = (datetime.datetime.now() - self._started) / done * (self._total - step)
        left = datetime.timedelta(seconds=round(left.total_seconds()))
        self._console.print(f"step {step}/{self._total}  {status}  left {left}")

    def show_evaluation(self, step: int, results: Mapping[str, TaskResult]) -> None:
        """Prints one line of metrics per task."""
        if not self._enabled:
            return
        for task, result in results.items():
            metrics = "  ".join(f"{name} {value:.3f}" for name, value in result.metrics.items())
            self._console.print(f"  eval at step {step}: {task}: {metrics}")
