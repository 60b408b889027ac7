"""Numbered files of which only one process can create each: what a lock needs of a file system."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import fsspec

from t2t.paths import is_remote

_SIZE = 1024  # bytes of a file, always the same, so that rewriting one needs no space


class LockFiles(Protocol):
    """Texts by number; methods raise OSError if the folder is out of reach."""

    def create(self, number: int) -> bool:
        """Makes an empty file; False if there is one already, maybe of another process."""
        ...

    def write(self, number: int, text: str) -> None:
        """Changes a file, which is not made again if it is gone."""
        ...

    def read(self, number: int) -> str | None:
        """None if there is no such file."""
        ...

    def remove(self, number: int) -> None:
        """Removes a file, if it is there."""
        ...

    def numbers(self) -> list[int]:
        """Of the files that are there, in any order."""
        ...


class FilesOnDisk:
    """On local disks and network file systems; files are rewritten in place."""

    def __init__(self, folder: Path):
        """Makes the folder."""
        self._folder = folder
        folder.mkdir(exist_ok=True)

    def create(self, number: int) -> bool:
        try:
            os.close(os.open(self._path(number), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError:
            return False
        return True

    def write(self, number: int, text: str) -> None:
        file = os.open(self._path(number), os.O_WRONLY)
        try:
            os.write(file, text.ljust(_SIZE).encode())
        finally:
            os.close(file)

    def read(self, number: int) -> str | None:
        try:
            return self._path(number).read_text(errors="replace")
        except FileNotFoundError:
            return None

    def remove(self, number: int) -> None:
        self._path(number).unlink(missing_ok=True)

    def numbers(self) -> list[int]:
        return [int(path.stem) for path in self._folder.glob("*.json") if path.stem.isdecimal()]

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.json"


@contextlib.contextmanager
def _out_of_reach() -> Iterator[None]:
    """Errors of an object store, each library's own, become OSErrors."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error


class ObjectsInStore:
    """In a bucket, where an object can be made on condition that there is none of its name."""

    @_out_of_reach()
    def __init__(self, folder: str):
        """Takes a URL; a bucket needs no folders."""
        self._system, self._folder = fsspec.core.url_to_fs(folder)

    @_out_of_reach()
    def create(self, number: int) -> bool:
        try:
            self._system.pipe_file(self._path(number), b" ", mode="create")
        except FileExistsError:
            return False
        return True

    @_out_of_reach()
    def write(self, number: int, text: str) -> None:
        if self.read(number) is None:
            raise FileNotFoundError(self._path(number))
        self._system.pipe_file(self._path(number), text.encode())

    @_out_of_reach()
    def read(self, number: int) -> str | None:
        try:
            return self._system.cat_file(self._path(number)).decode(errors="replace")
        except FileNotFoundError:
            return None

    @_out_of_reach()
    def remove(self, number: int) -> None:
        try:
            self._system.rm_file(self._path(number))
        except FileNotFoundError:
            return

    @_out_of_reach()
    def numbers(self) -> list[int]:
        try:
            paths = self._system.ls(self._folder, detail=False, refresh=True)
        except FileNotFoundError:
            return []
        stems = [Path(path).stem for path in paths]
        return [int(stem) for stem in stems if stem.isdecimal()]

    def _path(self, number: int) -> str:
        return f"{self._folder}/{number}.json"


def lock_files(folder: Path) -> LockFiles:
    """Those in a folder, wherever it is."""
    return ObjectsInStore(str(folder)) if is_remote(folder) else FilesOnDisk(folder)
