"""SIGINT and SIGTERM as requests to stop at the next step."""

import signal

from t2t import companions


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
    """While entered, the first SIGINT or SIGTERM is a request; a second is immediate.

    Of several processes any can be asked; all stop after the same step.
    """

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

    def requested(self, step: int) -> bool:
        """Whether to stop after `step`; to be asked once after each, and waits for no device."""
        if others := companions.current():
            self.signal = others.stops_at(step)
        return bool(self.signal)

    def _handle(self, number, _):
        if others := companions.current():
            others.request_stop(number)
        self.signal = number
        signal.signal(number, self._previous[number])
