"""Says where a training process hangs, if it does."""

import contextlib
import dataclasses
import faulthandler
import os
import sys
import tempfile
import threading
from collections.abc import Iterator

from t2t.errors import UserError

EXIT_CODE = 75
"""Of a process that `Watchdog.end_process` ended: EX_TEMPFAIL of sysexits.h, "try again later"."""


@dataclasses.dataclass(frozen=True)
class Watchdog:
    """Prints the stacks of all threads to stderr when no step is done for too long.

    Attributes:
      seconds: from one step to the next, saving included.
      patience: seconds instead for what takes longer: the first step, which is compiled, and an
        evaluation.
      end_process: whether to end the process then, with exit code 75, so that a scheduler starts it
        again; else it is only said, once more each time as long has passed again.
    """

    seconds: float = 1800.0
    patience: float = 7200.0
    end_process: bool = False

    def __post_init__(self):
        if not (self.seconds > 0 and self.patience > 0):
            raise UserError(
                f"Watchdog.seconds and Watchdog.patience must be above 0, got {self.seconds} and "
                f"{self.patience}."
            )

    @contextlib.contextmanager
    def watching(self) -> Iterator["Watch"]:
        """Watches while entered."""
        watch = Watch(self)
        try:
            yield watch
        finally:
            watch.close()


class Watch:
    """A `Watchdog` at work, in a thread; it waits with patience for the first sign of life."""

    def __init__(self, settings: Watchdog):
        self._settings = settings
        self._seconds = settings.patience
        self._signs = 0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._watch, name="t2t-watchdog", daemon=True)
        self._thread.start()

    def step_done(self) -> None:
        """A sign of life."""
        self._expect(self._settings.seconds)

    @contextlib.contextmanager
    def patiently(self) -> Iterator[None]:
        """For what may take longer than a step."""
        self._expect(self._settings.patience)
        try:
            yield
        finally:
            self._expect(self._settings.seconds)

    def close(self) -> None:
        """Ends the watch."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _expect(self, seconds: float) -> None:
        with self._changed:
            self._seconds = seconds
            self._signs += 1
            self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while not self._closed:
                signs, seconds = self._signs, self._seconds
                self._changed.wait(timeout=seconds)
                if not self._closed and self._signs == signs:
                    self._bark(seconds)

    def _bark(self, seconds: float) -> None:
        print(
            f"t2t watchdog: no training step was done for {seconds:g} s (Watchdog.seconds). The "
            f"stacks of all threads of process {os.getpid()}, the most recent call first:\n"
            f"{_stacks()}",
            file=sys.stderr,
            flush=True,
        )
        if self._settings.end_process:
            print(f"t2t watchdog: ending process {os.getpid()}", file=sys.stderr, flush=True)
            os._exit(EXIT_CODE)


def _stacks() -> str:
    with tempfile.TemporaryFile("w+") as file:  # in notebooks stderr is no file
        faulthandler.dump_traceback(file, all_threads=True)
        file.seek(0)
        return file.read()
