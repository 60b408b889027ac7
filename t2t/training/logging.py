"""Metrics to `metrics.jsonl` and TensorBoard."""

import json
import logging
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tensorboardX import SummaryWriter

from t2t.paths import is_remote
from t2t.replacing import replacing
from t2t.training.run_directory import RunDirectory

_UPLOAD_EVERY = 30.0  # seconds

log = logging.getLogger(__name__)


class MetricsLog:
    """Appends scalars by step; entries after `resume_step` are removed first.

    So a run that was interrupted and resumed has one line per logged step, as if it had not been.
    """

    def __init__(self, run: RunDirectory, resume_step: int):
        self._run, self._path = run, run.metrics
        self._open(resume_step)

    def _open(self, resume_step: int) -> None:
        _keep_until(self._path, resume_step)
        self._tensorboard = SummaryWriter(
            str(self._run.tensorboard),
            purge_step=resume_step + 1,
            filename_suffix=f".{time.time_ns()}",  # two in a second would have the same name
        )

    def go_back(self, step: int) -> None:
        """Removes entries after `step`, as if training had been interrupted and resumed there."""
        self._tensorboard.close()
        self._open(step)

    def total(self, name: str) -> float:
        """Sum over all entries."""
        if not self._path.exists():
            return 0.0
        lines = self._path.read_text(encoding="utf-8").splitlines()
        return sum(json.loads(line).get(name, 0.0) for line in lines)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Logs `values`, under names such as "train/loss" and "eval/spelling/exact_match"."""
        line = json.dumps({"step": step, **{k: float(v) for k, v in values.items()}})
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        for name, value in values.items():
            self._tensorboard.add_scalar(name, float(value), step)

    def flush(self) -> None:
        """Makes sure that what was written is in the run's folder; before a checkpoint is."""

    def close(self) -> None:
        """Flushes and closes the TensorBoard file."""
        self._tensorboard.close()


class UploadedLog(MetricsLog):
    """Of a run in an object store, where nothing can be appended: whole files are written again.

    So they are half a minute behind, but never behind a checkpoint.
    """

    def __init__(self, run: RunDirectory, resume_step: int):
        self._remote = run
        self._local = RunDirectory(Path(tempfile.mkdtemp(prefix="t2t-log-")))
        if run.metrics.exists():
            self._local.metrics.write_bytes(run.metrics.read_bytes())
        self._uploaded: dict[Path, int] = {}
        self._last = time.monotonic()
        super().__init__(self._local, resume_step)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        super().write(step, values)
        if time.monotonic() - self._last > _UPLOAD_EVERY:
            self.flush()

    def flush(self) -> None:
        self._tensorboard.flush()
        try:
            for path in [self._local.metrics, *self._local.tensorboard.iterdir()]:
                self._upload(path)
        except Exception as error:  # of whatever kind the store's are; the next try may succeed
            log.warning("the log could not be written to '%s': %s", self._remote.path, error)
        self._last = time.monotonic()

    def close(self) -> None:
        super().close()
        self.flush()
        shutil.rmtree(self._local.path, ignore_errors=True)

    def _upload(self, path: Path) -> None:
        stat = path.stat() if path.exists() else None
        if stat is None or self._uploaded.get(path) == stat.st_mtime_ns:
            return
        target = self._remote.path / path.relative_to(self._local.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
        self._uploaded[path] = stat.st_mtime_ns


def open_metrics_log(run: RunDirectory, resume_step: int) -> MetricsLog:
    """The log of a run, wherever its folder is."""
    return (UploadedLog if is_remote(run.path) else MetricsLog)(run, resume_step)


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


def _keep_until(path: Path, step: int) -> None:
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:  # the last line of a killed process
            continue
        if entry["step"] <= step:
            kept.append(line + "\n")
    with replacing(path) as partial:
        partial.write_text("".join(kept), encoding="utf-8")
