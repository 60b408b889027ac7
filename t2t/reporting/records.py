"""Inputs and predictions as files: text, one per line, or JSON lines."""

import contextlib
import dataclasses
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TextIO

from t2t.errors import UserError
from t2t.reporting.lines import Line, read_lines


@dataclasses.dataclass(frozen=True)
class Records:
    """Inputs as they come, each with the record it was read from (None for plain text)."""

    items: Iterator[tuple[str, dict | None]]

    def predicted_by(self, predict: Callable[[Iterable[str]], Iterator[str]]) -> Iterator[str]:
        """Yields a line per input, in order.

        JSON records come back with a field "prediction"; in plain text, line breaks inside a
        prediction become spaces, so that lines still correspond.
        """
        texts, records = itertools.tee(self.items)
        predictions = predict(text for text, _ in texts)
        for (_, record), prediction in zip(records, predictions, strict=True):
            if record is None:
                yield " ".join(prediction.splitlines())
            else:
                yield json.dumps({**record, "prediction": prediction}, ensure_ascii=False)


def read_inputs(path: str, file_format: str, stack: contextlib.ExitStack) -> Records:
    """Opens `path` ("-" is standard input), to be closed by `stack`.

    Args:
      path: UTF-8 text.
      file_format: "text", "jsonl" (records with a string "inputs"), or "auto" by the first line.
      stack: closes the file.

    Raises:
      UserError: if there is no such file; later, on a line that is not UTF-8 or no such record.
    """
    return Records(_parse(read_lines(path, stack), file_format))


def _parse(lines: Iterable[Line], file_format: str) -> Iterator[tuple[str, dict | None]]:
    for line in lines:
        if file_format == "auto":
            file_format = "jsonl" if line.text.lstrip().startswith("{") else "text"
        if file_format == "text":
            yield line.text, None
            continue
        record = line.record()
        if not isinstance(record.get("inputs"), str):
            raise UserError(f"{line.where} has no string 'inputs'.")
        yield record["inputs"], record


@contextlib.contextmanager
def open_output(path: str) -> Iterator[Callable[[str], None]]:
    """Yields a function that writes a line; a file appears whole, at the end, or not at all."""
    if path == "-":
        yield lambda line: print(line, flush=True)
        return
    target = Path(path)
    if target.is_dir():
        raise UserError(f"Cannot write '{path}': it is a folder.")
    partial = target.with_name(target.name + ".tmp")
    try:
        file: TextIO = partial.open("w", encoding="utf-8")
    except OSError as error:
        raise UserError(f"Cannot write '{path}': {error.strerror}.") from error
    try:
        with file:
            yield lambda line: print(line, file=file)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
