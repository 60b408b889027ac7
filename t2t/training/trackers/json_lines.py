"""`metrics.jsonl` of the run's folder."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from t2t.replacing import replacing
from t2t.training.run_directory import RunDirectory
from t2t.training.trackers.base import Tracker


class JsonLines(Tracker):
    """A JSON object per line: {"step": ..., "train/loss": ...}; of a run that is local.

    Lines after `resume_step` are removed first, so a run that was interrupted and resumed has one
    line per logged step, as if it had not been.
    """

    def start(self, run: RunDirectory, config: Mapping[str, Any], resume_step: int) -> None:
        self._path = run.metrics
        if not self._path.exists():
            return
        kept = [line for line, entry in _lines(self._path) if entry["step"] <= resume_step]
        with replacing(self._path) as partial:
            partial.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        line = json.dumps({"step": step, **{k: float(v) for k, v in values.items()}})
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def close(self) -> None:
        """Nothing is kept back."""

    def total(self, name: str) -> float:
        """Sum over all entries."""
        if not self._path.exists():
            return 0.0
        return sum(entry.get(name, 0.0) for _, entry in _lines(self._path))


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        with contextlib.suppress(ValueError):  # what a kill or a lost disk left
            entry = json.loads(line)
            if isinstance(entry, dict) and "step" in entry:
                yield line, entry
