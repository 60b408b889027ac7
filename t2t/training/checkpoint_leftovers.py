"""Folders beside checkpoints that have to go: unfinished ones, and those that are not kept."""

import concurrent.futures
import contextlib
import time

import jax
from etils import epath

from t2t.training.sealing import UNFINISHED, is_local

DELETED = "deleted"
"""Where Orbax moves checkpoints that no rule wants to keep."""


class Leftovers:
    """Removes them; process 0 does, on disks. In object stores Orbax deletes by itself."""

    def __init__(self, directory: epath.Path):
        """Those in `directory`."""
        self._directory = directory
        self._active = jax.process_index() == 0 and is_local(directory)
        self._pool = concurrent.futures.ThreadPoolExecutor(1, "checkpoint_removal")
        self._removal: concurrent.futures.Future[None] | None = None

    def remove_deleted_soon(self) -> None:
        """In the background."""
        if self._active and (self._removal is None or self._removal.done()):
            self._removal = self._pool.submit(self._remove_deleted)

    def remove_unfinished(self) -> None:
        """Of a save that failed; Orbax's threads may go on writing there for a moment."""
        for _ in range(50 if self._active else 0):
            unfinished = list(self._directory.glob(f"*{UNFINISHED}*"))
            if not unfinished:
                return
            for folder in unfinished:
                _remove(folder)
            time.sleep(0.1)

    def close(self) -> None:
        """Removes all; nothing may be saved any more, or not yet."""
        self._pool.shutdown()
        if self._active:
            _remove(self._directory / DELETED)
            self.remove_unfinished()

    def _remove_deleted(self) -> None:
        folder = self._directory / DELETED
        for step in folder.iterdir() if folder.exists() else ():
            _remove(step)  # not the folder itself: Orbax may be about to move another there


def _remove(folder: epath.Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmtree(missing_ok=True)
