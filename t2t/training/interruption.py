"""SIGINT and SIGTERM as requests to stop at the next step."""

import signal

import jax
import numpy as np
from jax.experimental import multihost_utils


class Stopped(Exception):
    """Training was asked to stop, and has saved its state.

    Attributes:
      signal: the number of the signal.
      step: the last step done, which is saved.
      total_steps: how many there were to be.
    """

    def __init__(self, signal_number: int, step: int, total_steps: int):
        super().__init__(f"stopped by {signal.Signals(signal_number).name} after step {step}")
        self.signal, self.step, self.total_steps = signal_number, step, total_steps


class Interruption:
    """While entered, the first SIGINT or SIGTERM only sets `requested`; a second is immediate."""

    def __init__(self):
        self.signal = 0
        self._previous = {}

    def __enter__(self) -> "Interruption":
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._previous[number] = signal.signal(number, self._handle)
            except ValueError:  # not in the main thread, as in some notebooks
                break
        return self

    def __exit__(self, *_):
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    @property
    def requested(self) -> bool:
        """Whether to stop; the same answer on all processes, which must ask at the same step."""
        if jax.process_count() == 1:
            return bool(self.signal)
        signals = multihost_utils.process_allgather(np.array(self.signal))
        self.signal = self.signal or int(np.max(signals))
        return bool(self.signal)

    def _handle(self, number, _):
        self.signal = number
        signal.signal(number, self._previous[number])
