"""Results of evaluations as files: `<task>-<step>.jsonl` and `results-<step>.json`."""

import dataclasses
import json
import math
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from t2t.errors import UserError
from t2t.evaluation.confidence import Interval
from t2t.evaluation.results import TaskResult, flat_metrics
from t2t.paths import is_remote
from t2t.replacing import replacing

_RESULTS = re.compile(r"results-(\d+)\.json")


@dataclasses.dataclass(frozen=True)
class StoredResults:
    """What a folder has of one step.

    Attributes:
      step: of the checkpoint.
      settings: what was evaluated on; see `Evaluator`.
      results: by task, without records.
      folder: where the records are.
    """

    step: int
    settings: Mapping[str, Any]
    results: Mapping[str, TaskResult]
    folder: Path

    def records(self, task: str) -> list[dict[str, Any]]:
        """Of a task; raises UserError if they cannot be read."""
        path = _records_path(self.folder, task, self.step)
        try:
            return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        except OSError as error:
            raise UserError(f"Cannot read '{path}': {error.strerror}.") from error
        except ValueError as error:
            raise UserError(f"'{path}' is damaged: {error}. Evaluate again.") from error


def check_writable(folder: Path) -> None:
    """Makes the folder; raises UserError if no file can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not is_remote(folder):
            tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UserError(
            f"Results cannot be written to the folder '{folder}': {error.strerror or error}."
        ) from error


def write_results(
    results: Mapping[str, TaskResult], folder: Path, step: int, settings: Mapping[str, Any]
) -> None:
    """Writes the records of each task, a line per example, and then what was found, as one file.

    Each file is written whole or not at all; raises UserError if one cannot be.
    """
    for task, result in results.items():
        lines = [to_json(record) + "\n" for record in result.records]
        _write(_records_path(folder, task, step), "".join(lines))
    everything = {
        "step": step,
        "settings": settings,
        "metrics": flat_metrics(results),
        "tasks": {task: _as_json(result) for task, result in results.items()},
    }
    _write(folder / f"results-{step:06d}.json", to_json(everything, indent=1) + "\n")


def read_results(folder: Path) -> list[StoredResults]:
    """What a folder has, by step; nothing of files that are no results."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        if _RESULTS.fullmatch(path.name):
            try:
                found.append(_stored(json.loads(path.read_text(encoding="utf-8")), folder))
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                continue  # cut off, or somebody else's
    return sorted(found, key=lambda stored: stored.step)


def _stored(read: Mapping[str, Any], folder: Path) -> StoredResults:
    results = {}
    for task, found in read["tasks"].items():
        intervals = {name: Interval(*ends) for name, ends in found["intervals"].items()}
        metrics, baselines = (
            {name: math.nan if x is None else float(x) for name, x in found[kind].items()}
            for kind in ("metrics", "baselines")
        )
        results[task] = TaskResult(found["num_examples"], metrics, baselines, (), intervals)
    return StoredResults(read["step"], dict(read["settings"]), results, folder)


def _as_json(result: TaskResult) -> dict[str, Any]:
    return {
        "num_examples": result.num_examples,
        "metrics": result.metrics,
        "intervals": {
            name: [i.low, i.high] for name, i in result.intervals.items() if not math.isnan(i.low)
        },
        "baselines": result.baselines,
    }


def to_json(value: Any, indent: int | None = None) -> str:
    """JSON that any program reads: it has no NaN and no infinity, so these become null."""
    try:
        return json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    except ValueError:
        finite = json.loads(json.dumps(value), parse_constant=lambda _: None)
        return json.dumps(finite, ensure_ascii=False, indent=indent)


def _records_path(folder: Path, task: str, step: int) -> Path:
    return folder / f"{task}-{step:06d}.jsonl"


def _write(path: Path, text: str) -> None:
    try:
        if is_remote(path):  # where files appear whole
            path.write_text(text, encoding="utf-8")
            return
        with replacing(path) as partial:
            partial.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"Cannot write '{path}': {error.strerror or error}.") from error
