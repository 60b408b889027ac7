"""Results on disk that outlive the process that made them, kill -9 at any moment included."""

import collections
import contextlib
import fcntl
import hashlib
import itertools
import json
import logging
import os
import pickle
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from t2t.errors import UserError
from t2t.replacing import replacing
from t2t.reporting.inputs import Given

log = logging.getLogger(__name__)

SECONDS = 1.0
"""Between notes: what a kill costs, at most, beside a window."""


@contextlib.contextmanager
def told(target: str) -> Iterator[None]:
    """Makes a message of what the file system says of `target` or a file beside it."""
    try:
        yield
    except OSError as error:
        raise UserError(f"Cannot write '{target}': {error.strerror}.") from error


def read_note(path: Path, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """What an earlier process noted, which had the same settings; None for nothing.

    Raises:
      UserError: if it had others, which are named, or it is damaged.
    """
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise UserError(f"'{path}' is damaged; delete '{path.parent}' to begin anew.") from error
    before, now = note["settings"], json.loads(json.dumps(settings))
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            raise UserError(
                f"'{path.parent}' has what another command began: there, {name} was "
                f"{_shown(before.get(name))}, and now it is {_shown(now.get(name))}. Give the same "
                f"again to go on, or delete that folder to begin anew."
            )
    return note


def write_note(path: Path, settings: Mapping[str, Any], **fields: Any) -> None:
    """Replaces it, whole."""
    with replacing(path) as partial, partial.open("w", encoding="utf-8") as file:
        json.dump({"settings": settings, **fields}, file)
        file.flush()
        os.fsync(file.fileno())


def _shown(value: Any) -> str:
    return "left out" if value is None else repr(value)


class Journal:
    """What one process has found out about its records, in order.

    Results go to the end of a file. A note beside it tells how many of them count, how long the
    file is with these, and a digest of their records; it is replaced after whole windows, so that
    who goes on makes the same batches. What is behind the last note is cut off. A context manager:
    if nothing was noted when it ends by an error, nothing is left.

    Attributes:
      records: that had their results when it was opened.
    """

    def __init__(self, folder: Path, name: str, settings: Mapping[str, Any], window: int):
        """Opens it, or makes it.

        Args:
          folder: that it is in.
          name: of this process's part of the work.
          settings: what decides on results beside the records, as JSON.
          window: records between which one may begin.

        Raises:
          UserError: on other settings than before, or if another process is at it.
        """
        self._folder, self._settings, self._window = folder, dict(settings), window
        self._path, self._note_path = folder / f"{name}.results", folder / f"{name}.json"
        with told(str(self._path)):
            self._file = self._path.open("ab")
        try:
            _lock(self._file, folder)
            note = read_note(self._note_path, settings)
            self._has_note = note is not None
            self._count, size, self._digest = _of_note(note)
            if self._path.stat().st_size < size:
                raise UserError(f"'{self._path}' is cut off; delete '{folder}' to begin anew.")
            self._file.truncate(size)
            self._file.seek(0, os.SEEK_END)
        except BaseException:
            self._file.close()
            raise
        self.records = self._count
        self._read: collections.deque[bytes] = collections.deque()
        self._noted_at = time.monotonic()
        self._whole = self._state

    @property
    def _state(self) -> tuple[int, int, str]:
        return self._count, self._file.tell(), self._digest

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        if kind is not None and self._whole[0] > self.records:
            with contextlib.suppress(UserError):
                self._note(self._whole)
        with contextlib.suppress(OSError):  # of a full disk; `finish` has told it
            self._file.close()
        if kind is not None and self._has_note:
            log.info("What is done is in '%s'; the same command goes on from there.", self._folder)
        if kind is not None and not self._has_note:
            with contextlib.suppress(OSError):
                self._path.unlink()
                self._folder.rmdir()

    def left(self, items: Iterable[Given]) -> Iterator[Given]:
        """Those of all items of this process that have no results yet.

        Raises:
          UserError: if those that have some are not what they were.
        """
        iterator = iter(items)
        done = itertools.islice(iterator, self.records)
        _check_same(done, self.records, self._digest, self._folder)
        for item in iterator:
            self._read.append(_bytes(item))
            yield item

    def write(self, *result: Any) -> None:
        """Adds the result of the next item."""
        with told(str(self._path)):
            pickle.dump(result, self._file)
        self._digest = _chained(self._digest, self._read.popleft())
        self._count += 1
        if self._count % self._window == 0:
            self._whole = self._state
            if time.monotonic() - self._noted_at >= SECONDS:
                self._note(self._whole)

    def finish(self) -> None:
        """Notes that there is a result for every item."""
        self._whole = self._state
        self._note(self._whole)

    def clear(self) -> None:
        """Removes the results, which nobody needs any more; the note stays for `check_finished`."""
        self._path.unlink(missing_ok=True)

    def _note(self, state: tuple[int, int, str]) -> None:
        with told(str(self._path)):
            self._file.flush()
            os.fsync(self._file.fileno())
            count, size, digest = state
            fields = {"records": count, "bytes": size, "digest": digest}
            write_note(self._note_path, self._settings, **fields)
        self._has_note, self._noted_at = True, time.monotonic()


def check_finished(
    folder: Path, name: str, settings: Mapping[str, Any], items: Iterable[Given]
) -> None:
    """Raises UserError if these are not the items that a cleared journal was made of."""
    count, _, digest = _of_note(read_note(folder / f"{name}.json", settings))
    _check_same(items, count, digest, folder)


def results(folder: Path, name: str) -> Iterator[tuple[Any, ...]]:
    """All that a journal has, those of earlier processes too; raises OSError if there is none."""
    with (folder / f"{name}.results").open("rb") as file, contextlib.suppress(EOFError):
        while True:
            yield pickle.load(file)


def _of_note(note: Mapping[str, Any] | None) -> tuple[int, int, str]:
    return (note["records"], note["bytes"], note["digest"]) if note else (0, 0, "")


def _check_same(items: Iterable[Given], records: int, digest: str, folder: Path) -> None:
    found, count = "", 0
    for item in items:
        found, count = _chained(found, _bytes(item)), count + 1
    if (count, found) != (records, digest):
        raise UserError(
            f"'{folder}' has the results of {records:,} records, but these are no longer those of "
            f"the input. Give the same input to go on, or delete that folder to begin anew."
        )


def _bytes(item: Given) -> bytes:
    return json.dumps([item.is_text, item.record], default=str).encode()


def _chained(digest: str, item: bytes) -> str:
    return hashlib.blake2b(digest.encode() + item, digest_size=16).hexdigest()


def _lock(file: IO[bytes], folder: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UserError(f"Another process is writing to '{folder}'; wait for its end.") from error
    except OSError:  # a file system without locks
        return
