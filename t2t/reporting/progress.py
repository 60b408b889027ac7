"""What a training run shows while it runs: a live bar on a terminal, plain lines elsewhere."""

import datetime
from collections.abc import Mapping

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.text import Text

from t2t.evaluation.results import TaskResult


class Progress:
    """Steps done, loss per task, how fast it goes and where the time goes, time left."""

    def __init__(self, first_step: int, total_steps: int, *, enabled: bool = True):
        self._first, self._total, self._enabled = first_step, total_steps, enabled
        self._started = datetime.datetime.now()
        self._console = Console(soft_wrap=True, highlight=False)
        self._bar = Bar(
            TextColumn("training"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[speed]}"),
        )
        self._task = self._bar.add_task("", total=total_steps, completed=first_step, speed="")
        self._losses = Text("")
        self._live = Live(
            Group(self._bar, self._losses), console=self._console, refresh_per_second=4
        )
        self._is_live = enabled and self._console.is_terminal

    def __enter__(self) -> "Progress":
        if self._is_live:
            self._live.start()
        elif self._enabled:
            self._console.print(f"training from step {self._first} to {self._total}")
        return self

    def __exit__(self, *_):
        if self._is_live:
            self._live.stop()

    def update(self, step: int, values: Mapping[str, float]) -> None:
        """Shows the averages since the last log line."""
        if not self._enabled:
            return
        losses = "loss: " + "  ".join(
            f"{name.split('/')[1]} {value:.3f}"
            for name, value in values.items()
            if name.count("/") == 2 and name.endswith("/loss")
        )
        speed = _speed(values)
        if self._is_live:
            self._bar.update(self._task, completed=step, speed=speed)
            self._losses.plain = losses
        else:
            left = self._time_left(step)
            self._console.print(f"step {step}/{self._total}  {losses}  {speed}  left {left}")

    def show_evaluation(self, step: int, results: Mapping[str, TaskResult]) -> None:
        """Prints one line of metrics per task."""
        if not self._enabled:
            return
        for task, result in results.items():
            metrics = "  ".join(f"{name} {value:.3f}" for name, value in result.metrics.items())
            self._console.print(f"  eval at step {step}: {task}: {metrics}")

    def show_consumption(
        self, rates: Mapping[str, float], consumed: Mapping[str, Mapping[str, int]]
    ) -> None:
        """Prints what went into training beside what was asked for, by task."""
        if not self._enabled:
            return
        totals = {k: sum(c[k] for c in consumed.values()) or 1 for k in ("examples", "tokens")}
        for task, rate in rates.items():
            examples, tokens = consumed[task]["examples"], consumed[task]["tokens"]
            self._console.print(
                f"  data: {task}: {examples:,} examples, {examples / totals['examples']:.1%} of "
                f"all (rate {rate:.1%}); {tokens:,} tokens, {tokens / totals['tokens']:.1%}"
            )

    def _time_left(self, step: int) -> datetime.timedelta:
        done = max(step - self._first, 1)
        left = (datetime.datetime.now() - self._started) / done * (self._total - step)
        return datetime.timedelta(seconds=round(left.total_seconds()))


def _speed(values: Mapping[str, float]) -> str:
    """Of what is known: "9,120 tokens/s  0.42 s/step (data 3%)  MFU 41.0%  2.1 GiB" and so on."""
    perf = {k.removeprefix("perf/"): v for k, v in values.items() if k.startswith("perf/")}
    parts = []
    if "step_time" in perf:
        shares = {k: perf.get(f"{k}_seconds", 0.0) for k in ("step", *_ASIDE)}
        total = sum(shares.values()) or 1.0
        aside = ", ".join(
            f"{name} {shares[name] / total:.0%}" for name in _ASIDE if shares[name] >= total / 200
        )
        parts.append(f"{perf['tokens_per_second']:,.0f} tokens/s")
        parts.append(f"{perf['step_time']:.3g} s/step" + (f" ({aside})" if aside else ""))
    if "mfu" in perf:
        parts.append(f"MFU {perf['mfu']:.1%}")
    if "memory_bytes" in perf:
        parts.append(f"{perf['memory_bytes'] / 2**30:.3g} GiB")
    if "goodput" in perf:
        parts.append(f"goodput {perf['goodput']:.0%}")
    if skipped := values.get("guard/skipped"):
        parts.append(f"{skipped:.0f} skipped")
    return "  ".join(parts)


_ASIDE = ("data", "compilation", "checkpoint", "evaluation", "rollback")
