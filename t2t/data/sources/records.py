"""The records of one file, and those of several files one after the other."""

import abc
import bisect
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from t2t.data.sources.skipped import BadRecordError, OnBadRecord, SkippedRecords


def place_of(examples: Sequence[Any] | None, index: int) -> str:
    """The file and line, or record, that an example comes from; "" where none is known."""
    place = getattr(examples, "place", None)
    return place(index) if place else ""


class RecordFile(abc.ABC):
    """Random access to the records of one file.

    Attributes:
      path: the file.
      kind: what messages call it: "Text file".
      bad: malformed records that were found on opening, with what is wrong.
    """

    path: Path
    kind = "File"
    bad: Mapping[int, str] = {}

    @abc.abstractmethod
    def __len__(self) -> int: ...

    @abc.abstractmethod
    def read(self, index: int) -> Any:
        """Returns a record; raises BadRecordError if it is malformed."""

    def read_range(self, start: int, stop: int) -> list[Any]:
        """`read` of neighbouring records, where it can be had for less."""
        return [self.read(index) for index in range(start, stop)]

    def place(self, index: int) -> str:
        """Where a record is, for messages."""
        return f"record {index + 1:,}"

    def describe(self, index: int, problem: str) -> str:
        """The message for a malformed record."""
        return f"{self.kind} '{self.path}', {self.place(index)} {problem}"


class DecodedFile(RecordFile):
    """Another file's records put through `decode`; one that raises or gives no dict is bad."""

    def __init__(self, file: RecordFile, decode: Callable[[Any], Any]):
        self._file = file
        self._decode = decode
        self.path, self.kind, self.bad = file.path, file.kind, file.bad

    def __len__(self) -> int:
        return len(self._file)

    def read(self, index: int) -> Any:
        record = self._file.read(index)
        try:
            example = self._decode(record)
        except BadRecordError:
            raise
        except Exception as error:
            raise BadRecordError(
                f"cannot be decoded: {type(error).__name__}: {str(error)[:300]}."
            ) from error
        if not isinstance(example, Mapping):
            raise BadRecordError(f"is decoded to {type(example).__name__}, which is no dict.")
        return example

    def place(self, index: int) -> str:
        return self._file.place(index)


class FileRange(RecordFile):
    """`count` records of another file from `first` on."""

    def __init__(self, file: RecordFile, first: int, count: int):
        self._file, self._first, self._count = file, first, count
        self.path, self.kind = file.path, file.kind
        self.bad = {i - first: p for i, p in file.bad.items() if first <= i < first + count}

    def __len__(self) -> int:
        return self._count

    def read(self, index: int) -> Any:
        return self._file.read(self._first + index)

    def read_range(self, start: int, stop: int) -> list[Any]:
        return self._file.read_range(self._first + start, self._first + stop)

    def place(self, index: int) -> str:
        return self._file.place(self._first + index)


class FileRecords(Sequence[Any]):
    """The records of files, one file after the other. Pickles as the way to open them again.

    Args:
      open_files: opens the files.
      split: name of the split, for counting.
      on_bad_record: "raise", or "skip" for None in place of a malformed record.
      skipped: where skipped records are counted.

    Raises:
      BadRecordError: under "raise", if a malformed record was found on opening, or the first
        record of a file is one; later, when such a record is read.
    """

    def __init__(
        self,
        open_files: Callable[[], Sequence[RecordFile]],
        split: str,
        on_bad_record: OnBadRecord,
        skipped: SkippedRecords,
    ):
        self._open_files = open_files
        self._split = split
        self._on_bad_record = on_bad_record
        self._skipped = skipped
        for number, file in enumerate(self._files):
            for index, problem in file.bad.items():
                self._bad(number, index, problem)
            if len(file):
                self[self._first[number]]

    @functools.cached_property
    def _files(self) -> Sequence[RecordFile]:
        return self._open_files()

    @functools.cached_property
    def _first(self) -> list[int]:
        return list(itertools.accumulate(map(len, self._files), initial=0))

    def __getstate__(self):
        return {k: v for k, v in self.__dict__.items() if k not in ("_files", "_first")}

    def __len__(self) -> int:
        return self._first[-1]

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(index)
        number, record = self._located(index)
        try:
            return self._files[number].read(record)
        except BadRecordError as error:
            return self._bad(number, record, str(error), error)

    def place(self, index: int) -> str:
        """Where a record is, for messages: "JSON Lines file 'x.jsonl', line 3"."""
        number, record = self._located(index)
        return self._files[number].describe(record, "").rstrip()

    def read_range(self, start: int, stop: int) -> list[Any]:
        """The records from `start` to before `stop`; neighbours are quicker read together."""
        if not 0 <= start < stop <= len(self):
            raise IndexError(f"{start}:{stop}")
        number, record = self._located(start)
        first = self._first[number]
        if stop <= self._first[number + 1]:
            try:
                return self._files[number].read_range(record, stop - first)
            except BadRecordError:
                pass  # one by one, to say which or to leave it out
        return [self[index] for index in range(start, stop)]

    def _located(self, index: int) -> tuple[int, int]:
        """Number of the file, and of the record in it."""
        number = bisect.bisect_right(self._first, index) - 1
        return number, index - self._first[number]

    def _bad(
        self, number: int, record: int, problem: str, cause: BadRecordError | None = None
    ) -> None:
        file = self._files[number]
        if self._on_bad_record == "raise":
            raise BadRecordError(
                f"{file.describe(record, problem)} Mend it, or leave such records out with "
                f"on_bad_record='skip'."
            ) from cause
        place = (self._split, self._first[number] + record)
        self._skipped.add(place, lambda: file.describe(record, problem))
