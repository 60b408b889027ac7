"""Lines of text files, read in any order by an index of byte offsets."""

import bisect
import codecs
import functools
import glob
import mmap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from t2t.data.sources.base import DataSource, Example
from t2t.errors import UserError, did_you_mean


class TextLineDataSource(DataSource):
    """One example `{"text": line}` per line of UTF-8 text files.

    Args:
      split_to_filepattern: a path or glob, or several, per split.
      skip_header_lines: lines to skip at the start of each file.
      max_line_bytes: longer lines are an error: such a file is rarely lines of text.
    """

    def __init__(
        self,
        split_to_filepattern: Mapping[str, str | Sequence[str]],
        skip_header_lines: int = 0,
        max_line_bytes: int = 1 << 20,
    ):
        self._patterns = {
            split: (p,) if isinstance(p, str) else tuple(p)
            for split, p in split_to_filepattern.items()
        }
        self._open = functools.lru_cache(maxsize=None)(
            lambda split: TextLines(self._patterns[split], skip_header_lines, max_line_bytes)
        )

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(self._patterns)

    def _examples(self, split: str) -> Sequence[Example]:
        return self._open(split)


class TextLines(Sequence[dict[str, str]]):
    """`{"text": line}` for each line of the files, memory-mapped, validated once when opened.

    Raises:
      UserError: if a pattern matches no file, or a file is empty, not UTF-8, or has a line of more
        than `max_line_bytes`; the message names the file and the line.
    """

    def __init__(self, patterns: Sequence[str], skip_header_lines: int, max_line_bytes: int):
        files = [
            _IndexedFile(path, skip_header_lines, max_line_bytes)
            for pattern in patterns
            for path in _matches(pattern)
        ]
        self._files = files
        self._first = np.cumsum([0, *(len(file) for file in files)]).tolist()

    def __len__(self) -> int:
        return self._first[-1]

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(index)
        file = bisect.bisect_right(self._first, index) - 1
        return {"text": self._files[file].line(index - self._first[file])}


def _matches(pattern: str) -> list[Path]:
    paths = [Path(p) for p in sorted(glob.glob(str(Path(pattern).expanduser())))]
    if not paths:
        parent = Path(pattern).expanduser().parent
        siblings = [p.name for p in parent.iterdir()] if parent.is_dir() else []
        hint = did_you_mean(Path(pattern).name, siblings)
        raise UserError(f"Text file '{pattern}' does not exist.{hint}")
    return paths


class _IndexedFile:
    def __init__(self, path: Path, skip_header_lines: int, max_line_bytes: int):
        if path.is_dir():
            raise UserError(f"'{path}' is a folder, not a text file; name the files: '{path}/*'.")
        if path.stat().st_size == 0:
            raise UserError(f"Text file '{path}' is empty.")
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        newlines, size = _newlines(self._bytes), len(self._bytes)
        ends = newlines if len(newlines) and newlines[-1] == size - 1 else np.append(newlines, size)
        starts = np.concatenate([[0], ends[:-1] + 1])
        if self._bytes[:3] == codecs.BOM_UTF8:
            starts[0] = 3
        _check_lines(path, self._bytes, starts, ends, max_line_bytes)
        self._starts, self._ends = starts[skip_header_lines:], ends[skip_header_lines:]
        if not len(self):
            raise UserError(f"Text file '{path}' has no lines after {skip_header_lines} headers.")

    def __len__(self) -> int:
        return len(self._starts)

    def line(self, index: int) -> str:
        return self._bytes[self._starts[index] : self._ends[index]].rstrip(b"\r").decode()


def _newlines(data: mmap.mmap, window: int = 1 << 24) -> np.ndarray:
    """Offsets of the line ends, found a window at a time so that memory stays small."""
    found = [np.zeros(0, np.int64)]
    for start in range(0, len(data), window):
        block = np.frombuffer(data[start : start + window], np.uint8)
        found.append(np.flatnonzero(block == ord("\n")) + start)
    return np.concatenate(found)


def _check_lines(
    path: Path, data: mmap.mmap, starts: np.ndarray, ends: np.ndarray, max_line_bytes: int
) -> None:
    longest = int(np.argmax(ends - starts))
    length = int(ends[longest] - starts[longest])
    if length > max_line_bytes:
        raise UserError(
            f"Text file '{path}', line {longest + 1} has {length:,} bytes; the limit is "
            f"{max_line_bytes:,}. Split the line, or raise max_line_bytes."
        )
    window = 1 << 12  # lines decoded at a time, so that memory stays small
    for first in range(0, len(starts), window):
        last = min(first + window, len(starts)) - 1
        begin = int(starts[first])
        try:
            data[begin : int(ends[last])].decode()
        except UnicodeDecodeError as error:
            line = int(np.searchsorted(starts, begin + error.start, side="right"))
            raise UserError(
                f"Text file '{path}', line {line} is not UTF-8 ({error.reason}, byte "
                f"{begin + error.start - int(starts[line - 1]) + 1} of the line). Convert it, for "
                f"example with `iconv -f latin1 -t utf-8`."
            ) from error
