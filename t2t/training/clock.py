"""Where the time of training goes."""

import collections
import contextlib
import time
from collections.abc import Iterator
from typing import Any

import jax

STEP = "step"


class Clock:
    """Shares out time to named activities; what none of them claims is the step's."""

    def __init__(self) -> None:
        self._seconds: collections.defaultdict[str, float] = collections.defaultdict(float)
        self._lap_began = time.perf_counter()

    @contextlib.contextmanager
    def of(self, activity: str, after: Any = None) -> Iterator[None]:
        """Counts the block as `activity`; first waits for the arrays in `after`, as part of a step.

        Blocks are not nested.
        """
        jax.block_until_ready(after)
        began = time.perf_counter()
        try:
            yield
        finally:
            self.claim(activity, time.perf_counter() - began)

    def claim(self, activity: str, seconds: float) -> None:
        """Counts time that has passed as `activity`."""
        self._seconds[activity] += seconds

    def take(self, activity: str) -> float:
        """Seconds of an activity since the last lap, which the next one no longer counts."""
        seconds = self._seconds.pop(activity, 0.0)
        self._lap_began += seconds
        return seconds

    def write_off(self, activity: str) -> None:
        """Counts all time since the last lap as `activity`: what was done in it is lost."""
        self._seconds.clear()
        self.claim(activity, time.perf_counter() - self._lap_began)

    def lap(self) -> dict[str, float]:
        """Seconds by activity since the last lap; they add up to the time that passed."""
        now = time.perf_counter()
        seconds = dict(self._seconds)
        seconds[STEP] = now - self._lap_began - sum(seconds.values())
        self._seconds.clear()
        self._lap_began = now
        return seconds
