"""What is shown while records are worked on: a live bar on a terminal, else a line now and then."""

import sys
import time
from collections.abc import Callable

import jax
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from t2t.decoding.prediction import Throughput

_EVERY = 60.0
"""Seconds between lines where there is no terminal."""


class Working:
    """Shows on standard error how far the work is, and at the end how fast it was.

    A context manager. Of several processes, one shows its share.

    Args:
      throughput: of the work.
      about: gives how many records there are, if that is known; only asked if there is a bar.
      quiet: show nothing.
      prints: results go to standard output, which a bar must not disturb.
    """

    def __init__(
        self,
        throughput: Throughput,
        about: Callable[[], int | None],
        *,
        quiet: bool = False,
        prints: bool = False,
    ):
        self._throughput, self._about, self._done = throughput, about, 0
        self._speaks = not quiet and jax.process_index() == 0
        self._console = Console(stderr=True, soft_wrap=True, highlight=False)
        disturbs = prints and sys.stdout.isatty()
        self._bar: Progress | None = None
        if self._speaks and self._console.is_terminal and not disturbs:
            self._bar = Progress(
                BarColumn(bar_width=10),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[speed]}"),
                console=self._console,
                refresh_per_second=4,
            )

    def __enter__(self) -> "Working":
        self._started = self._shown = time.monotonic()
        if self._bar:
            self._task = self._bar.add_task("", total=self._about(), speed="")
            self._bar.start()
        return self

    def advance(self) -> None:
        """Counts a record."""
        self._done += 1
        now = time.monotonic()
        if self._bar and now - self._shown > 0.2:
            self._shown = now
            self._bar.update(self._task, completed=self._done, speed=self._speed(now))
        elif not self._bar and self._speaks and now - self._shown > _EVERY:
            self._shown = now
            self._console.print(f"{self._done:,} records done: {self._speed(now)}")

    def _speed(self, now: float) -> str:
        """Compilation apart, which is at the beginning."""
        seconds = max(now - self._started - self._throughput.compile_seconds, 1e-9)
        speed = f"{self._done / seconds:,.1f} records/s"
        if tokens := self._throughput.tokens:
            speed += f", {tokens / seconds:,.0f} tokens/s"
        return speed

    def __exit__(self, kind: type | None, *_: object) -> None:
        if self._bar:
            self._bar.update(self._task, completed=self._done)
            self._bar.stop()
        if self._speaks and kind is None:
            print(self._throughput.describe(), file=sys.stderr)
