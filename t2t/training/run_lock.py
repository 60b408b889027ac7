"""One run at a time writes a folder: a lock that is taken over only when its holder is dead.

It needs nothing of the file system but that a file can be created exclusively, as on NFS, Lustre
and Google's object store, too. Lock files are numbered. Who creates the next number holds the
lock, so of several who try one wins; the newest file is never removed, so no number is used twice.
Only the holder writes to its file: a counter every few seconds, and at the end that it is released.

A holder is dead if its process is gone, where that can be seen, and else if a minute of this
process's own waiting goes by in which its file does not change. No time of another machine or of a
file is ever compared, so clocks may differ.
"""

import contextlib
import dataclasses
import datetime
import json
import logging
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
from jax.experimental import multihost_utils

from t2t.errors import UserError
from t2t.training.lock_files import lock_files
from t2t.training.process_identity import ProcessIdentity

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Holder:
    """What a lock file says. `since` is for people: a time of day on the holder's clock."""

    process: ProcessIdentity
    since: str
    token: str
    beats: int = 0
    released: bool = False

    @classmethod
    def parse(cls, text: str | None) -> "Holder | None":
        """None if the file is not there, or its writer has not got to the end."""
        try:
            fields = json.loads(text or "")
            return cls(**fields | {"process": ProcessIdentity(**fields["process"])})
        except (ValueError, TypeError, KeyError):
            return None

    def __str__(self) -> str:
        return f"{self.process}, since {self.since}"


class RunLock:
    """The lock of one folder, held while entered.

    Args:
      folder: what is locked; lock files are in `lock/` there.
      beat: seconds between two changes of the lock file.
      patience: seconds without a change after which a holder on another machine counts as dead.
    """

    def __init__(self, folder: Path, beat: float = 5.0, patience: float = 60.0):
        self._locked = folder
        self._beat, self._patience = beat, patience
        self._lost = False
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._keep_beating, name="run lock", daemon=True)

    def __enter__(self) -> "RunLock":
        """Raises UserError if another run holds the lock, or the folder cannot be written."""
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        self._self = Holder(ProcessIdentity.current(), now, uuid.uuid4().hex)
        try:
            self._files = lock_files(self._locked / "lock")
            self._number = self._free_number()
            while not self._create():
                self._number = self._free_number()
        except OSError as error:
            raise UserError(
                f"Cannot write '{self._locked / 'lock'}': {error.strerror or error}."
            ) from error
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        self._thread.join()
        with contextlib.suppress(OSError):  # who comes next sees that this process is gone
            if self._holds():
                self._write(released=True)

    def check(self) -> None:
        """Raises UserError if the lock is gone; to be asked before anything is written."""
        with contextlib.suppress(OSError):  # a folder out of reach cannot be written either
            self._lost = self._lost or not self._holds()
        if self._lost:
            taker = Holder.parse(self._files.read(self._newest()))
            what = f"was taken over by {taker}" if taker else "has lost its lock file"
            raise UserError(
                f"'{self._locked}' {what}. This process did not run, or did not reach the folder, "
                f"for more than {self._patience:.0f} seconds, or somebody removed files of the "
                f"lock. It stops without writing anything more."
            )

    def _free_number(self) -> int:
        """The number to create next, once the holder of the newest is known to have ended.

        Raises:
          UserError: if it is alive.
        """
        newest, first, waits = self._newest(), None, 0
        while (text := self._files.read(newest)) is not None:
            holder = Holder.parse(text)
            if holder and holder.released:
                break
            alive = holder.process.is_alive() if holder else None
            if alive is False:
                log.info("took over the lock of %s, which has ended", holder)
                break
            if holder and (alive or text != (first or text)):
                raise UserError(
                    f"'{self._locked}' is being written by another run: {holder}. Wait until it "
                    f"ends, or stop it, or choose another MODEL_DIR."
                )
            if holder and first is None:
                first = text
                log.info("waiting %.0f s for a sign of life of %s", self._patience, holder)
            # Waits are counted, not seconds, lest a suspension of this process count.
            if waits * self._beat / 5 >= self._patience:
                log.info("took over the lock: no sign of life in %.0f s", self._patience)
                break
            time.sleep(self._beat / 5)
            waits += 1
        return newest + 1

    def _create(self) -> bool:
        """Creates the lock file of our number; False if another process was faster."""
        if not self._files.create(self._number):
            return False
        try:
            self._write()
        except OSError:
            self._files.remove(self._number)
            raise
        if self._newest() != self._number:  # the number had been used, and its file removed
            self._files.remove(self._number)
            return False
        for number in self._files.numbers():
            if number < self._number:
                self._files.remove(number)
        return True

    def _keep_beating(self) -> None:
        while not self._ending.wait(self._beat) and not self._lost:
            with contextlib.suppress(OSError):  # tried again; `check` finds out what it means
                if self._holds():
                    self._write(beats=self._self.beats + 1)

    def _holds(self) -> bool:
        found = Holder.parse(self._files.read(self._number))
        ours = found is not None and found.token == self._self.token
        return ours and self._newest() == self._number

    def _write(self, **changes) -> None:
        """Changes what our file says; a lock that was lost stays lost."""
        self._self = dataclasses.replace(self._self, **changes)
        self._files.write(self._number, json.dumps(dataclasses.asdict(self._self)))

    def _newest(self) -> int:
        return max(self._files.numbers(), default=0)


class HeldElsewhere:
    """The lock as the other processes of a run see it: process 0 holds it for all."""

    def check(self) -> None:
        """Does nothing."""


@contextlib.contextmanager
def hold_run_lock(folder: Path) -> Iterator[RunLock | HeldElsewhere]:
    """Holds the lock of a run's folder; process 0 does so for all processes.

    Raises:
      UserError: on all processes, if another run writes the folder.
    """
    refusal = None
    with contextlib.ExitStack() as stack:
        lock: RunLock | HeldElsewhere = HeldElsewhere()
        if jax.process_index() == 0:
            try:
                lock = stack.enter_context(RunLock(folder))
            except UserError as error:
                refusal = error
        refused = refusal is not None
        if jax.process_count() > 1:
            refused = bool(multihost_utils.broadcast_one_to_all(np.array(refused)))
        if refused:
            raise refusal or UserError(
                f"Process 0 may not write '{folder}'; its message says why. This one stops, too."
            )
        yield lock
