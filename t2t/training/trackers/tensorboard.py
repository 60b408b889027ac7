"""Event files for TensorBoard, in the run's folder."""

import time
from collections.abc import Mapping
from typing import Any

from tensorboardX import SummaryWriter

from t2t.training.run_directory import RunDirectory
from t2t.training.trackers.base import Tracker


class TensorBoard(Tracker):
    """Scalars; what was written after `resume_step` is marked as void. Of a run that is local."""

    def start(self, run: RunDirectory, config: Mapping[str, Any], resume_step: int) -> None:
        self._writer = SummaryWriter(
            str(run.tensorboard),
            purge_step=resume_step + 1,
            filename_suffix=f".{time.time_ns()}",  # two in a second would have the same name
        )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, float(value), step)

    def flush(self) -> None:
        """Writes what is kept back."""
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()
