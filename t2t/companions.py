"""The other processes of a job: which are alive, which failed, and when all stop.

A thread of each process writes a sign of life into the key-value store that JAX's coordinator
(process 0) keeps, every second or two. Process 0 reads them, and says in the store when the job is
over because a process was lost or failed; the others then end without a message, so there is one
message for all. Nothing of this waits for a device or a collective operation, so it works while
one hangs because a process is missing.
"""

import atexit
import contextlib
import logging
import os
import sys
import threading
import time
from typing import Any

from t2t.aborting import message_on_abort, show_error

log = logging.getLogger(__name__)

_ALIVE, _FAILED, _TROUBLE, _STEP = "t2t/alive/", "t2t/failed/", "t2t/trouble/", "t2t/step/"
_MET = "t2t/met/"
_OVER, _STOP, _STOP_AT = "t2t/over", "t2t/stop", "t2t/stop_at"
_LEFT = "left"
# What collective operations say when another process is gone.
_SIGNS = (
    "gloo",
    "nccl",
    "coordination",
    "unavailable",
    "connection",
    "deadline_exceeded",
    "socket",
)

_AGAIN = (
    "Run the same command again, with this or another number of processes: training goes on from "
    "the newest checkpoint."
)

_watch: "Watch | None" = None


def watch(process: int, count: int, address: str, heartbeat: float) -> None:
    """Begins to watch the other processes; see `Watch`."""
    global _watch
    _watch = Watch(process, count, address, heartbeat)
    _watch.start()


def current() -> "Watch | None":
    """The watch of this process; None if it is on its own."""
    return _watch


class Watch:
    """Watches the other processes of a job.

    Args:
      process: the number of this one.
      count: of processes.
      address: of the coordinator, for messages.
      heartbeat: seconds without a sign of life after which a process counts as lost; a sixth of
        that once a collective operation failed, for then one is.
    """

    def __init__(self, process: int, count: int, address: str, heartbeat: float):
        from jax._src import distributed  # nothing public gives the store of keys and values

        self._store: Any = distributed.global_state.client
        self._process, self._count, self._heartbeat = process, count, heartbeat
        self._beat = min(2.0, heartbeat / 20)
        self._seen: dict[str, tuple[str, float]] = {}
        self._lost_coordinator = (
            f"Process {process} of {count} has lost process 0, the coordinator at {address}: it "
            f"was killed, or its machine or the network failed. {_AGAIN}"
        )
        self._ending, self._leaving = threading.Lock(), threading.Event()
        self._main_fails = False
        self._stepping, self._agreeing = threading.Lock(), False
        self._step, self._signal = 0, 0
        self._stop_at: int | None = None
        self._thread = threading.Thread(target=self._run, name="companions", daemon=True)

    def start(self) -> None:
        """Begins to give signs of life."""
        self._on_abort = message_on_abort(self._lost_coordinator)
        self._on_abort.__enter__()  # for as long as the process lives
        self._thread.start()
        atexit.register(self._leave)

    def _leave(self) -> None:
        """Ends the thread before the interpreter does, and before JAX waits for the others."""
        self._leaving.set()
        self._thread.join()
        with contextlib.suppress(Exception):
            self._set(f"{_ALIVE}{self._process}", _LEFT)
        self._on_abort.__exit__(None, None, None)

    # Stopping together

    def request_stop(self, signal_number: int) -> None:
        """Asks all to stop at the same step; only sets a number, as a signal handler may."""
        self._signal = signal_number

    def stops_at(self, step: int) -> int:
        """The signal because of which all stop after `step`, or 0; asked after every step.

        Costs no communication: the threads agree on a step that none has passed.
        """
        with self._stepping:
            self._step = step
            return self._signal if self._stop_at is not None and step >= self._stop_at else 0

    def meet(self, name: str) -> None:
        """Waits for all to come here, however long they take; a name is good for once."""
        self._set(f"{_MET}{name}/{self._process}", "1")
        while len(self._store.key_value_dir_get(f"{_MET}{name}/")) < self._count:
            time.sleep(self._beat / 10)

    # Failing together

    def fail(self, message: str) -> None:
        """Ends the job because of an error of this process; one process prints the message."""
        self._main_fails = True
        if self._process == 0:
            self._end(message)
        with contextlib.suppress(Exception):
            self._set(f"{_FAILED}{self._process}", message)
        self._await_end(3 * self._beat + 5)
        self._exit(message)

    def explain(self, error: BaseException) -> None:
        """Ends the process with a message if `error` came about because another one is lost.

        Returns if it did not, or none is found to be lost.
        """
        if not any(sign in str(error).lower() for sign in _SIGNS):
            return
        try:
            self._set(f"{_TROUBLE}{self._process}", "1")
        except Exception:
            self._exit(self._lost_coordinator)
        self._await_end(self._heartbeat)

    # The thread

    def _run(self) -> None:
        number = 0
        while not self._leaving.is_set():
            number += 1
            try:
                self._set(f"{_ALIVE}{self._process}", str(number))
                if self._signal and self._stop_at is None:
                    with contextlib.suppress(Exception):  # another was faster
                        self._store.key_value_set(_STOP, str(self._signal))
                if self._process == 0:
                    self._judge()
                elif self._get(_OVER) is not None:
                    self._exit(None)
                if self._stop_at is None and (asked := self._get(_STOP)):
                    self._agree(int(asked))
            except Exception as error:
                self._without_store(error)
            hurried = self._agreeing and self._stop_at is None
            self._leaving.wait(self._beat / 10 if hurried else self._beat)

    def _without_store(self, error: Exception) -> None:
        if self._process and not self._leaving.is_set():
            log.debug("%s", error)
            self._exit(self._lost_coordinator)

    def _judge(self) -> None:
        """Process 0 finds out who is lost or failed, and ends the job then."""
        now = time.monotonic()
        alive = dict(self._store.key_value_dir_get(_ALIVE))
        trouble = self._store.key_value_dir_get(_TROUBLE)
        patience = self._heartbeat / 6 if trouble else self._heartbeat
        for process in range(1, self._count):
            name = f"{_ALIVE}{process}"
            sign = alive.get(name, "")
            before, since = self._seen.setdefault(name, (sign, now))
            if sign != before:
                self._seen[name] = sign, now
            elif sign != _LEFT and now - since > patience:
                self._end(
                    f"Process {process} of {self._count} is lost: there was no sign of life for "
                    f"{now - since:.0f} seconds. It was killed, for example for lack of memory, or "
                    f"its machine or the network failed. All others end. {_AGAIN}",
                    lost=process,
                )
        for name, message in self._store.key_value_dir_get(_FAILED):
            time.sleep(2 * self._beat)  # an error that all have is told by this process's own main
            if not self._main_fails:
                process = name.removeprefix(_FAILED)
                self._end(f"Process {process} of {self._count}: {message}")

    def _agree(self, signal_number: int) -> None:
        """Finds the step after which all stop; called until it is found.

        From the first call on, no process begins another step, so that none passes it.
        """
        if not self._agreeing:
            self._agreeing = self._stepping.acquire()
            self._set(f"{_STEP}{self._process}", str(self._step))
        if self._process == 0:
            steps = [int(step) for _, step in self._store.key_value_dir_get(_STEP)]
            if len(steps) == self._count:
                self._set(_STOP_AT, str(max(steps) + 1))
        if found := self._get(_STOP_AT):
            self._signal, self._stop_at = signal_number, int(found)
            self._stepping.release()

    # Ending

    def _end(self, message: str, lost: int | None = None) -> None:
        """Process 0 ends the job: it prints the message, and goes when the others have gone."""
        with self._ending:
            show_error(message)
            with contextlib.suppress(Exception):
                self._set(_OVER, message)
                until = time.monotonic() + 3 * self._beat + 5
                while time.monotonic() < until and not self._all_left(lost):
                    time.sleep(self._beat / 4)
            os._exit(1)

    def _all_left(self, but: int | None) -> bool:
        alive = dict(self._store.key_value_dir_get(_ALIVE))
        others = (process for process in range(1, self._count) if process != but)
        return all(alive.get(f"{_ALIVE}{process}") == _LEFT for process in others)

    def _await_end(self, seconds: float) -> None:
        """Returns if the job does not end in so many seconds."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(self._beat / 4)
            try:
                over = self._get(_OVER)
            except Exception:
                self._exit(self._lost_coordinator)
            if over is not None and self._process:
                self._exit(None)

    def _exit(self, message: str | None) -> None:
        """Ends this process without JAX's farewell, which would wait for the others."""
        with self._ending:
            if message:
                show_error(message)
            with contextlib.suppress(Exception):
                self._set(f"{_ALIVE}{self._process}", _LEFT)
            with contextlib.suppress(Exception):
                sys.stdout.flush()
            os._exit(1)

    def _set(self, name: str, value: str) -> None:
        self._store.key_value_set(name, value, allow_overwrite=True)

    def _get(self, name: str) -> str | None:
        try:
            return self._store.key_value_try_get(name)
        except Exception as error:
            if "NOT_FOUND" in str(error):
                return None
            raise
