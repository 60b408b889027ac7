"""Lines of files, or of standard input, as text and as JSON."""

import glob
import gzip
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from t2t.data.sources.files import matching_files
from t2t.data.sources.json_lines import parse_record
from t2t.data.sources.skipped import BadRecordError
from t2t.errors import UserError
from t2t.paths import is_remote

_BLOCK = 1 << 20


class Line(NamedTuple):
    """One line, without its end.

    Attributes:
      text: of the line.
      where: its file and number, for messages.
    """

    text: str
    where: str

    def record(self) -> dict:
        """The JSON object that it is; raises UserError if it is none."""
        if not self.text.strip():
            raise UserError(f"{self.where} is empty, but JSON lines have a record each; remove it.")
        try:
            return parse_record(self.text.encode())
        except BadRecordError as error:
            raise UserError(f"{self.where} {error}") from error


class Lines:
    """Those of files, one file after the other; each time from the first line on.

    Args:
      patterns: files, globs, remote ones ("s3://..."), or "-" for standard input, which can be read
        but once; what ends in ".gz" is decompressed.

    Raises:
      UserError: if there is no such file; later, on a line that is not UTF-8.
    """

    def __init__(self, patterns: Sequence[str]):
        self._paths = [path for pattern in patterns for path in _paths(pattern)]
        if "-" in self._paths and sys.stdin is None:
            raise UserError("Standard input is closed; name a file: --input=FILE.")

    def __iter__(self) -> Iterator[Line]:
        for path in self._paths:
            with _told(path):
                if path == "-":
                    yield from _decoded(sys.stdin.buffer, "standard input")
                else:
                    with _opened(path) as file:
                        yield from _decoded(file, f"'{path}'")

    @property
    def is_repeatable(self) -> bool:
        """Whether they can be read again: all are files, neither pipes nor standard input."""
        return all(Path(path).is_file() for path in self._paths)

    def come_from(self, path: Path) -> bool:
        """Whether this is one of the files; it has to exist."""
        return any(Path(mine).exists() and path.samefile(mine) for mine in self._paths)

    def count(self) -> int:
        """How many there are; reads them all."""
        total = 0
        for path in self._paths:
            with _told(path), _opened(path) as file:
                block = b"\n"
                for block in iter(lambda: file.read(_BLOCK), b""):
                    total += block.count(b"\n")
                total += not block.endswith(b"\n")
        return total


def _paths(pattern: str) -> list[str]:
    if pattern == "-":
        return [pattern]
    if is_remote(pattern) or (glob.has_magic(pattern) and not Path(pattern).exists()):
        return [str(path) for path in matching_files(pattern, "Input")]
    try:
        if Path(pattern).is_dir():
            raise UserError(f"Cannot read '{pattern}': it is a folder; name files: '{pattern}/*'.")
        Path(pattern).stat()
    except OSError as error:
        raise UserError(f"Cannot read '{pattern}': {error.strerror}.") from error
    return [pattern]


def _opened(path: str) -> IO[bytes]:
    return gzip.open(path, "rb") if path.endswith(".gz") else Path(path).open("rb")  # type: ignore


class _told:
    """Makes a message of what the file system and gzip say of a file."""

    def __init__(self, path: str):
        self._path = path

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, gzip.BadGzipFile | EOFError | zlib.error):
            raise UserError(f"Cannot read '{self._path}': it is no gzip, or damaged.") from error
        if isinstance(error, OSError) and error.filename == self._path:
            raise UserError(f"Cannot read '{self._path}': {error.strerror}.") from error


def _decoded(file: Iterable[bytes], name: str) -> Iterator[Line]:
    for number, raw in enumerate(file, 1):
        where = f"{name}, line {number}"
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8")  # a mark may come first
            yield Line(text.rstrip("\r\n"), where)
        except UnicodeDecodeError as error:
            raise UserError(f"{where} is not UTF-8.") from error
