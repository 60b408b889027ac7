"""Files that several processes work on: each does some of the records, process 0 joins all."""

import contextlib
import itertools
import pickle
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

import jax

from t2t import companions
from t2t.errors import UserError

Item = TypeVar("Item")
Write = Callable[..., None]


class Shares:
    """The records of this process: every so many windows one, so that batches stay as they are.

    Args:
      window: records at a time.
    """

    def __init__(self, window: int):
        self._window, self._index, self._count = window, jax.process_index(), jax.process_count()

    def check(self, source: str, target: str) -> None:
        """Raises UserError unless all processes can read and write the files; "-" is no file."""
        for flag, path in (("input", source), ("output", target)):
            if self._count > 1 and path == "-":
                raise UserError(
                    f"{self._count} processes share the records, so name a file that all of them "
                    f"reach: --{flag}=FILE."
                )

    def mine(self, items: Iterable[Item]) -> Iterator[Item]:
        """Those of `items` that this process works on."""
        return (item for number, item in enumerate(items) if self._is_mine(number))

    def numbers(self) -> Iterator[int]:
        """Their numbers among all, from 0, without end."""
        return filter(self._is_mine, itertools.count())

    def _is_mine(self, number: int) -> bool:
        return number // self._window % self._count == self._index

    @contextlib.contextmanager
    def joined(
        self, target: str, opened: Callable[[], AbstractContextManager[Write]]
    ) -> Iterator[Write]:
        """A function that writes what there is of a record of this process.

        Each process writes a file of its own beside `target`; when all have, process 0 writes these
        to what `opened` gives, in the order of the records. If one fails, nothing is written.

        Raises:
          UserError: if a file cannot be written, or process 0 does not find those of the others.
        """
        others = companions.current()
        if others is None:
            with opened() as write:
                yield write
            return
        parts = [Path(f"{target}.{i}-of-{self._count}.tmp") for i in range(self._count)]
        with contextlib.ExitStack() as stack:
            stack.callback(parts[self._index].unlink, missing_ok=True)
            with _told(target):
                file = stack.enter_context(parts[self._index].open("wb"))

            def write_part(*what: Any) -> None:
                with _told(target):
                    pickle.dump(what, file)

            yield write_part
            with _told(target):
                file.close()
            others.meet(f"written {target}")
            if self._index == 0:
                with opened() as write:
                    for what in self._in_order(parts):
                        write(*what)
            others.meet(f"joined {target}")

    def _in_order(self, parts: list[Path]) -> Iterator[Any]:
        with contextlib.ExitStack() as stack:
            try:
                files = [stack.enter_context(part.open("rb")) for part in parts]
            except OSError as error:
                raise UserError(
                    f"Process 0 cannot read '{error.filename}', which another process has written: "
                    f"--output must be in a folder that all processes share."
                ) from error
            for file in itertools.cycle(files):
                for _ in range(self._window):
                    try:
                        yield pickle.load(file)
                    except EOFError:  # the shares are dealt in turn, so none has more
                        return


@contextlib.contextmanager
def _told(target: str) -> Iterator[None]:
    """Makes a message of what the file system says of a file beside `target`."""
    try:
        yield
    except OSError as error:
        raise UserError(f"Cannot write beside '{target}': {error.strerror}.") from error
