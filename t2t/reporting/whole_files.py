"""Files that appear whole, at the end, or not at all."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from t2t.errors import UserError
from t2t.replacing import replacing


@contextlib.contextmanager
def whole_file(path: str, mode: str) -> Iterator[IO[Any]]:
    """A file to write, "w" as UTF-8 or "wb"; it gets its name when all is written.

    What is there and is no file, such as a pipe or /dev/null, is not replaced, but written to.

    Raises:
      UserError: if it cannot be written there.
    """
    target = Path(path)
    if target.is_dir():
        raise UserError(f"Cannot write '{path}': it is a folder.")
    is_file = target.is_file() or not target.exists()
    with replacing(target.resolve()) if is_file else contextlib.nullcontext(target) as partial:
        try:
            file: IO[Any] = partial.open(mode, encoding=None if "b" in mode else "utf-8")
        except OSError as error:
            raise UserError(f"Cannot write '{path}': {error.strerror}.") from error
        with file:
            yield file
