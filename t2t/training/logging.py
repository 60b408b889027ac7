"""Metrics to the run's folder and to trackers."""

import logging
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from t2t.paths import is_remote
from t2t.training.run_directory import RunDirectory
from t2t.training.trackers import JsonLines, TensorBoard, Tracker
from t2t.training.trackers.in_background import InBackground

_UPLOAD_EVERY = 30.0  # seconds
_PATIENCE = 30.0  # seconds at the end, in which trackers may take what is left

log = logging.getLogger(__name__)


class MetricsLog:
    """Writes scalars by step to `metrics.jsonl`, to TensorBoard's files and to `trackers`.

    Entries after `resume_step` are removed first, where that is possible.
    """

    def __init__(
        self,
        run: RunDirectory,
        resume_step: int,
        trackers: Sequence[Tracker] = (),
        config: Mapping[str, Any] | None = None,
    ):
        """`config`: what trackers are told of the run."""
        self._run, self._config = run, dict(config or {})
        self._lines, self._tensorboard = JsonLines(), TensorBoard()
        self._others = [InBackground(tracker) for tracker in trackers]
        self._start(resume_step)

    def _start(self, step: int) -> None:
        for tracker in (self._lines, self._tensorboard):
            tracker.start(self._local_run, self._config, step)
        for other in self._others:
            other.start(self._run, self._config, step)

    @property
    def _local_run(self) -> RunDirectory:
        """Where files can be appended to."""
        return self._run

    @property
    def _all(self) -> tuple[Tracker | InBackground, ...]:
        return self._lines, self._tensorboard, *self._others

    def go_back(self, step: int) -> None:
        """Removes entries after `step`, as if training had been interrupted and resumed there."""
        for tracker in self._all:
            tracker.close()
        self._start(step)

    def total(self, name: str) -> float:
        """Sum over all entries."""
        return self._lines.total(name)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Logs `values`, under names such as "train/loss" and "eval/spelling/exact_match"."""
        for tracker in self._all:
            tracker.log(step, values)

    def flush(self) -> None:
        """Makes sure that what was written is in the run's folder; before a checkpoint is."""

    def close(self) -> None:
        """Closes all files, and gives trackers time to take what is left."""
        for tracker in self._all:
            tracker.close()
        until = time.monotonic() + _PATIENCE
        for other in self._others:
            other.end(max(until - time.monotonic(), 0.0))


class UploadedLog(MetricsLog):
    """Of a run in an object store, where nothing can be appended: whole files are written again.

    So they are half a minute behind, but never behind a checkpoint.
    """

    def __init__(
        self,
        run: RunDirectory,
        resume_step: int,
        trackers: Sequence[Tracker] = (),
        config: Mapping[str, Any] | None = None,
    ):
        self._local = RunDirectory(Path(tempfile.mkdtemp(prefix="t2t-log-")))
        if run.metrics.exists():
            self._local.metrics.write_bytes(run.metrics.read_bytes())
        self._uploaded: dict[Path, int] = {}
        self._last = time.monotonic()
        super().__init__(run, resume_step, trackers, config)

    @property
    def _local_run(self) -> RunDirectory:
        return self._local

    def write(self, step: int, values: Mapping[str, float]) -> None:
        super().write(step, values)
        if time.monotonic() - self._last > _UPLOAD_EVERY:
            self.flush()

    def flush(self) -> None:
        self._tensorboard.flush()
        self._upload_all()

    def close(self) -> None:
        self.flush()  # before trackers take their time
        super().close()
        self._upload_all()
        shutil.rmtree(self._local.path, ignore_errors=True)

    def _upload_all(self) -> None:
        try:
            for path in [self._local.metrics, *self._local.tensorboard.iterdir()]:
                self._upload(path)
        except Exception as error:  # of whatever kind the store's are; the next try may succeed
            log.warning("the log could not be written to '%s': %s", self._run.path, error)
        self._last = time.monotonic()

    def _upload(self, path: Path) -> None:
        stat = path.stat() if path.exists() else None
        if stat is None or self._uploaded.get(path) == stat.st_mtime_ns:
            return
        target = self._run.path / path.relative_to(self._local.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
        self._uploaded[path] = stat.st_mtime_ns


def open_metrics_log(
    run: RunDirectory,
    resume_step: int,
    trackers: Sequence[Tracker] = (),
    config: Mapping[str, Any] | None = None,
) -> MetricsLog:
    """The log of a run, wherever its folder is; see `MetricsLog` for the arguments."""
    kind = UploadedLog if is_remote(run.path) else MetricsLog
    return kind(run, resume_step, trackers, config)


class NoLog:
    """Stands in for `MetricsLog` on all processes but the first."""

    def flush(self) -> None:
        """Does nothing."""

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Does nothing."""

    def go_back(self, step: int) -> None:
        """Does nothing."""

    def total(self, name: str) -> float:
        """0."""
        return 0.0

    def close(self) -> None:
        """Does nothing."""
