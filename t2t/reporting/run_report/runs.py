"""What the folder of a run tells, also while it is being written and where parts are missing."""

import contextlib
import dataclasses
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from t2t.errors import UserError
from t2t.gin_text import settings_of
from t2t.paths import is_remote, run_folder
from t2t.reporting.run_report.log_reader import LogReader, Series
from t2t.reporting.run_report.predictions import PredictionReader, Predictions
from t2t.training.run_directory import RunDirectory

_RESULTS = re.compile(r"results-\d+\.json")


@dataclasses.dataclass(frozen=True)
class Run:
    """A run, at the time it was read.

    Attributes:
      name: unlike those of the other runs.
      path: of its folder.
      series: of `metrics.jsonl`, by name.
      config: text of `config.gin`; "" if there is none.
      settings: of it, by name.
      starts: when, at which step and on what it was started, oldest first.
      checkpoints: steps.
      predictions: by task.
      results: of evaluations by step: "metrics", "intervals" and "baselines" by task.
      parameters: their number, if it is written there.
      first_started: in seconds since the epoch, if it is written there.
      last_logged: as well.
      notes: what is missing or damaged.
    """

    name: str
    path: str
    series: Mapping[str, Series]
    config: str
    settings: Mapping[str, str]
    starts: Sequence[Mapping[str, Any]]
    checkpoints: Sequence[int]
    predictions: Mapping[str, Predictions]
    results: Mapping[int, Mapping[str, Any]]
    parameters: int | None
    first_started: float | None
    last_logged: float | None
    notes: Sequence[str]

    @property
    def last_step(self) -> int:
        return max((int(series.steps[-1]) for series in self.series.values()), default=0)

    @property
    def total_steps(self) -> int | None:
        """As configured."""
        value = self.resolved("train.total_steps")
        return int(value) if value and value.isdecimal() else None

    @property
    def tasks(self) -> list[str]:
        """Those trained on, and those evaluated."""
        trained = [m[1] for name in self.series if (m := re.fullmatch(r"data/(.+)/tokens", name))]
        evaluated = [task for found in self.results.values() for task in found]
        evaluated += [m[1] for n in self.series if (m := re.fullmatch(r"eval/(.+)/loss", n))]
        return list(dict.fromkeys([*trained, *evaluated]))

    def resolved(self, name: str) -> str | None:
        """A setting, macros replaced by what they stand for."""
        value = self.settings.get(name)
        for _ in range(10):
            if value is None or not value.startswith("%"):
                break
            value = self.settings.get(value[1:])
        return value


class RunReader:
    """Reads a run again and again; only what was appended to its log."""

    def __init__(self, model_dir: str):
        """Raises UserError if it is not the folder of a run."""
        self._run = RunDirectory(run_folder(model_dir))
        run = self._run
        if not run.path.is_dir():
            raise UserError(f"'{model_dir}' is no folder: `t2t report` takes folders of runs.")
        if not (run.metrics.exists() or run.config.exists() or run.identity.exists()):
            runs = sorted(str(p.parent) for p in Path(run.path).glob("*/config.gin"))
            inside = f" In it are runs: {' '.join(runs[:8])}." if runs else ""
            raise UserError(
                f"'{model_dir}' is not the folder of a training run: it has neither metrics.jsonl "
                f"nor config.gin.{inside}"
            )
        self._log = LogReader(run.metrics)
        self._predictions = PredictionReader(run.predictions)

    @property
    def path(self) -> str:
        return str(self._run.path)

    def signature(self) -> tuple[Any, ...]:
        """Differs when there is something new to read."""
        run = self._run
        files = [_stamp(file) for file in (run.metrics, run.config, run.starts)]
        folders = [_names(folder) for folder in (run.checkpoints, run.predictions)]
        return *files, *folders

    def read(self, name: str) -> Run:
        """The run as it is now, under a name for the page."""
        run = self._run
        self._log.update()
        config = _text(run.config)
        checkpoints = _checkpoints(run.checkpoints)
        series = self._log.series
        results = _results(run.predictions)
        return Run(
            name=name,
            path=self.path,
            series=series,
            config=config,
            settings=settings_of(config),
            starts=list(_json_lines(_text(run.starts))),
            checkpoints=checkpoints,
            predictions=self._predictions.read(),
            results=results,
            parameters=_parameters(_text(run.path / "parameters.txt")),
            first_started=_number(_text(run.started)),
            last_logged=_changed(run.metrics),
            notes=list(self._notes(config, series, checkpoints)),
        )

    def _notes(
        self, config: str, series: Mapping[str, Series], checkpoints: Sequence[int]
    ) -> list[str]:
        notes = []
        if _imported(_text(self._run.identity)):
            notes.append("An imported model: how it was trained before is not known here.")
        elif not series and not checkpoints:
            notes.append("Nothing was logged yet.")
        elif not series:
            notes.append("There is no metrics.jsonl, so there are no curves.")
        if not config:
            notes.append("There is no config.gin: the run was made from Python, or imported.")
        if series and not any(name.startswith("eval/") for name in series):
            notes.append("There was no evaluation yet.")
        if self._log.bad_lines:
            notes.append(f"{self._log.bad_lines} damaged lines of metrics.jsonl are left out.")
        return notes


def names_of(paths: Sequence[str]) -> list[str]:
    """Short names, all different: the last parts of the paths that tell them apart.

    Raises:
      UserError: if one is given twice.
    """
    whole = [path if is_remote(path) else os.path.abspath(path) for path in paths]
    for path, place in zip(paths, whole, strict=True):
        if whole.count(place) > 1:
            raise UserError(f"'{path}' is given twice.")
    parts = [[part for part in re.split(r"[/\\]", path) if part] for path in whole]
    for depth in range(1, max(map(len, parts), default=0) + 1):
        names = ["/".join(p[-depth:]) for p in parts]
        if len(set(names)) == len(names):
            return names
    return whole


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def _stamp(path: Path) -> tuple[int, float] | None:
    """Size and time of the last change; None if there is no such file."""
    with contextlib.suppress(Exception):  # stores have errors of their own
        stat: Any = path.stat()
        if isinstance(stat, os.stat_result):
            return stat.st_size, stat.st_mtime
        return stat.length, float(stat.mtime or 0)
    return None


def _changed(path: Path) -> float | None:
    stamp = _stamp(path)
    return stamp[1] if stamp else None


def _text(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_bytes().decode("utf-8", "replace")
    return ""


def _number(text: str) -> float | None:
    with contextlib.suppress(ValueError):
        return float(text)
    return None


def _json_lines(text: str) -> list[dict[str, Any]]:
    found = []
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            if isinstance(entry := json.loads(line), dict):
                found.append(entry)
    return found


def _checkpoints(folder: Path) -> list[int]:
    return sorted(int(name) for name in _names(folder) if name.isdecimal())


def _results(folder: Path) -> dict[int, dict[str, Any]]:
    """By step, of files that are whole."""
    found: dict[int, dict[str, Any]] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if _RESULTS.fullmatch(path.name):
            with contextlib.suppress(ValueError, KeyError, TypeError):
                read = json.loads(_text(path))
                found[int(read["step"])] = dict(read["tasks"])
    return found


def _parameters(text: str) -> int | None:
    found = re.search(r"([\d,]+) parameters in all", text)
    return int(found[1].replace(",", "")) if found else None


def _imported(identity: str) -> bool:
    with contextlib.suppress(ValueError, AttributeError):
        return bool(json.loads(identity).get("imported"))
    return False
