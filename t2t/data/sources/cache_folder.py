"""Files made once from other files and kept: decompressed copies and indexes of records.

A file is written under a temporary name and renamed when complete, so a reader, or another process
that makes the same file, never sees half of it, also after a kill.
"""

import contextlib
import gzip
import hashlib
import os
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from t2t.errors import UserError

_STALE_SECONDS = 24 * 3600
_BLOCK = 1 << 20


def cache_folder() -> Path:
    """$T2T_CACHE_DIR, or ~/.cache/t2t."""
    chosen = os.environ.get("T2T_CACHE_DIR")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "t2t"


def cache_name(path: Path) -> str:
    """A name in the cache folder for what is made from `path`."""
    where = hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:12]
    return f"{path.name}-{where}"


@contextlib.contextmanager
def written_atomically(target: Path, modified_ns: int | None = None) -> Iterator[BinaryIO]:
    """Opens a temporary file beside `target` that becomes `target` when the block succeeds.

    Args:
      target: the file.
      modified_ns: its time of modification, in nanoseconds since the epoch; None for now.

    Raises:
      OSError: if the folder cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for left_by_a_kill in target.parent.glob(f"{target.name}.*.tmp"):
        with contextlib.suppress(OSError):
            # Not the time of modification, which may be made up.
            if time.time() - left_by_a_kill.stat().st_ctime > _STALE_SECONDS:
                left_by_a_kill.unlink()
    handle, name = tempfile.mkstemp(".tmp", f"{target.name}.", target.parent)
    try:
        with open(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if modified_ns is not None:
            os.utime(name, ns=(0, modified_ns))
        os.replace(name, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def made_once(path: Path, suffix: str, make: Callable[[BinaryIO], None]) -> Path:
    """Returns the file that `make` writes from `path`, made again when `path` changes.

    Raises:
      UserError: if the cache folder cannot be written; what `make` raises.
    """
    stat = path.stat()
    folder = cache_folder() / "files"
    stem = cache_name(path)
    target = folder / f"{stem}-{stat.st_size:x}-{stat.st_mtime_ns:x}{suffix}"
    if target.exists():
        return target
    try:
        with written_atomically(target) as file:
            make(file)
        for old in folder.glob(f"{stem}-*-*{suffix}"):
            if old != target:
                old.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"'{path}' is read through an uncompressed copy, which cannot be written to "
            f"'{folder}': {error.strerror}. Set T2T_CACHE_DIR to a folder with enough space."
        ) from error
    return target


def uncompressed(path: Path) -> Path:
    """Returns `path`, or if it is gzip a decompressed copy in the cache folder.

    Raises:
      UserError: if the compressed data are damaged or cut off.
    """
    with path.open("rb") as file:
        if file.read(2) != b"\x1f\x8b":
            return path
    return made_once(path, "", lambda file: _decompress(path, file))


def _decompress(path: Path, target: BinaryIO) -> None:
    with gzip.open(path, "rb") as source:
        while True:
            try:
                block = source.read(_BLOCK)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise UserError(
                    f"The gzip file '{path}' is damaged or cut off after {target.tell():,} "
                    f"decompressed bytes: {error}. Fetch or compress it again."
                ) from error
            if not block:
                return
            target.write(block)
