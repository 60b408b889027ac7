"""JSON Lines files: one object per line."""

import json
import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from t2t.data.sources.fields import chosen_fields
from t2t.data.sources.files import FileDataSource, FilePatterns
from t2t.data.sources.lines import MAX_BAD, LineFile, blocks, not_utf8
from t2t.data.sources.offset_index import Write
from t2t.data.sources.skipped import BadRecordError
from t2t.errors import UserError


class JsonLinesDataSource(FileDataSource):
    """One example per line of JSON Lines files, plain or gzip, which is a JSON object.

    All lines are parsed when a file is first opened; the result is kept with the index. Blank lines
    are no records.

    Args:
      split_to_filepattern: a path or glob, or several, per split.
      fields: which fields an example has; a record without one of them is malformed. None for all
        that the record has.
      max_line_bytes: longer lines are malformed.
      on_bad_record: "raise" or "skip".
    """

    kind = "JSON Lines file"

    def __init__(
        self,
        split_to_filepattern: FilePatterns,
        fields: Sequence[str] | None = None,
        max_line_bytes: int = 1 << 24,
        on_bad_record: str = "raise",
    ):
        super().__init__(split_to_filepattern, on_bad_record)
        self._fields = fields
        self._max_line_bytes = max_line_bytes
        self._settings = (fields, max_line_bytes)

    def _open_file(self, path: Path) -> "_JsonLinesFile":
        file = _JsonLinesFile(path, self._fields, self._max_line_bytes)
        if not len(file):
            raise UserError(f"{self.kind} '{path}' has blank lines only.")
        return file


class _JsonLinesFile(LineFile):
    kind = JsonLinesDataSource.kind

    def __init__(self, path: Path, fields: Sequence[str] | None, max_line_bytes: int):
        super().__init__(path, "json_lines", _scan, max_line_bytes)
        self._fields = fields

    def read(self, index: int) -> dict[str, Any]:
        if index in self.bad:
            raise BadRecordError(self.bad[index])
        return chosen_fields(parse_record(self.bytes_of(index)), self._fields)


def parse_record(line: bytes) -> dict[str, Any]:
    """The object that a line holds; raises BadRecordError, which says what it is instead."""
    try:
        value = json.loads(line.decode())
    except UnicodeDecodeError as error:
        raise BadRecordError(not_utf8(error)) from error
    except json.JSONDecodeError as error:
        raise BadRecordError(f"is not JSON ({error.msg}, column {error.colno}).") from error
    except RecursionError as error:
        raise BadRecordError("is nested too deeply.") from error
    if not isinstance(value, dict):
        raise BadRecordError(
            f'holds a {type(value).__name__}, not an object such as {{"field": "value"}}.'
        )
    if b"\\ud" in line.lower():
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise BadRecordError("has an escape that is half of a surrogate pair.") from error
    return value


def _scan(data: mmap.mmap, write: Write) -> dict[str, Any]:
    """Writes where records start; finds those that are no JSON objects, and the longest."""
    bad: list[tuple[int, str]] = []
    longest = count = 0
    for start, end, block in blocks(data):
        starts: list[int] = []
        if block is None:
            starts.append(start)
            longest = max(longest, end - start)
        else:
            position = start
            for line in block.split(b"\n"):
                if line.strip():
                    try:
                        parse_record(line)
                    except BadRecordError as error:
                        if len(bad) < MAX_BAD:
                            bad.append((count + len(starts), str(error)))
                    starts.append(position)
                    longest = max(longest, len(line) + 1)
                position += len(line) + 1
        write(np.array(starts, np.int64))
        count += len(starts)
    write(np.array([len(data)], np.int64))
    return {"bad": bad, "longest": longest}
