"""`metrics.jsonl`, read as it grows."""

import json
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from t2t.paths import is_remote


class Series(NamedTuple):
    """Values of one name: steps int64 `[n]`, values float64 `[n]`."""

    steps: np.ndarray
    values: np.ndarray


class LogReader:
    """Series by name. `update` reads what was appended; all, if the file was written anew.

    A last line without its end is left for the next time; lines that are no JSON objects with a
    step are counted in `bad_lines`, and otherwise passed over.
    """

    def __init__(self, path: Path):
        self._path = path
        self._restart()

    def _restart(self) -> None:
        self._columns: dict[str, tuple[array, array]] = {}
        self._read, self._identity = 0, 0
        self.bad_lines = 0

    def update(self) -> None:
        """Reads what is new; nothing if there is no file."""
        if not self._path.exists():
            self._restart()
            return
        if is_remote(self._path):  # whole files are written there
            self._restart()
            self._take(self._path.read_bytes().splitlines(keepends=True))
            return
        with self._path.open("rb") as file:
            identity = self._path.stat().st_ino
            if identity != self._identity or file.seek(0, 2) < self._read:
                self._restart()
                self._identity = identity
            file.seek(self._read)
            self._take(file)

    @property
    def series(self) -> dict[str, Series]:
        return {
            name: Series(np.array(steps, np.int64), np.array(values, np.float64))
            for name, (steps, values) in self._columns.items()
        }

    def _take(self, lines: Iterable[bytes]) -> None:
        columns = self._columns
        for line in lines:
            if not line.endswith(b"\n"):
                break
            self._read += len(line)
            try:
                entry = json.loads(line)
                step = int(entry.pop("step"))
            except (ValueError, AttributeError, KeyError, TypeError):
                self.bad_lines += 1
                continue
            for name, value in entry.items():
                if isinstance(value, (int, float)):
                    if name not in columns:
                        columns[name] = array("q"), array("d")
                    steps, values = columns[name]
                    steps.append(step)
                    values.append(value)
