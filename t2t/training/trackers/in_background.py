"""A tracker that training neither waits for nor fails with."""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from t2t.errors import described
from t2t.training.run_directory import RunDirectory
from t2t.training.trackers.base import Tracker

_MOST_WAITING = 20_000
"""Log lines that may wait for a service that does not answer."""
_RETRY_AFTER = 60.0  # seconds

log = logging.getLogger(__name__)


class InBackground:
    """Calls a tracker in a thread, in order; what goes wrong there is one warning.

    A tracker that could not start is started again with a later line, a minute or more later.
    """

    def __init__(self, tracker: Tracker):
        self._tracker, self._name = tracker, type(tracker).__name__
        self._waiting: queue.Queue[Callable[[], None] | None] = queue.Queue(_MOST_WAITING)
        self._starting: Callable[[], None] | None = None
        self._tried = 0.0
        self._warned = False
        self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
        self._thread.start()

    def start(self, run: RunDirectory, config: Mapping[str, Any], resume_step: int) -> None:
        """As the tracker's own."""
        self._put(lambda: self._start(lambda: self._tracker.start(run, config, resume_step)))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """As the tracker's own."""
        taken = dict(values)
        self._put(lambda: self._log(step, taken))

    def close(self) -> None:
        """As the tracker's own."""
        self._put(self._close)

    def end(self, timeout: float) -> None:
        """Waits until all is done, at most so many seconds; what is not done then is lost."""
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._warn("it did not take all log lines soon enough after the end")

    def _start(self, starting: Callable[[], None]) -> None:
        self._starting, self._tried = starting, time.monotonic()
        starting()
        self._starting = None

    def _log(self, step: int, values: Mapping[str, float]) -> None:
        if self._starting:
            if time.monotonic() - self._tried < _RETRY_AFTER:
                return
            self._start(self._starting)
            log.info("The tracker %s works now.", self._name)
        self._tracker.log(step, values)

    def _close(self) -> None:
        if not self._starting:
            self._tracker.close()

    def _put(self, call: Callable[[], None]) -> None:
        try:
            self._waiting.put_nowait(call)
        except queue.Full:
            self._warn(f"it is {_MOST_WAITING:,} log lines behind")

    def _work(self) -> None:
        while call := self._waiting.get():
            try:
                call()
            except (Exception, SystemExit, KeyboardInterrupt) as error:  # libraries raise them all
                self._warn(described(error))

    def _warn(self, reason: str) -> None:
        if not self._warned:
            told = " ".join(reason.split())  # of one line or several
            log.warning("The tracker %s failed, training goes on: %s", self._name, told)
        self._warned = True
