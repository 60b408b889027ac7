"""Lines of a file, or of standard input, as text and as JSON."""

import contextlib
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from t2t.errors import UserError


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
            record = json.loads(self.text)
        except ValueError as error:
            raise UserError(f"{self.where} is not JSON: {error}.") from error
        if not isinstance(record, dict):
            raise UserError(f'{self.where} is no JSON object, such as {{"inputs": "..."}}.')
        return record


def read_lines(path: str, stack: contextlib.ExitStack) -> Iterator[Line]:
    """Opens `path` ("-" is standard input), to be closed by `stack`; the lines, as they are needed.

    Raises:
      UserError: if there is no such file; later, on a line that is not UTF-8.
    """
    if path == "-" and sys.stdin is None:
        raise UserError("Standard input is closed; name a file: --input=FILE.")
    if path == "-":
        return _decoded(sys.stdin.buffer, "standard input")
    try:
        file = stack.enter_context(Path(path).open("rb"))  # noqa: SIM115
    except OSError as error:
        raise UserError(f"Cannot read '{path}': {error.strerror}.") from error
    return _decoded(file, f"'{path}'")


def _decoded(file: Iterable[bytes], name: str) -> Iterator[Line]:
    for number, raw in enumerate(file, 1):
        where = f"{name}, line {number}"
        try:
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8")  # a mark may come first
            yield Line(text.rstrip("\r\n"), where)
        except UnicodeDecodeError as error:
            raise UserError(f"{where} is not UTF-8.") from error
