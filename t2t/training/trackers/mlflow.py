"""MLflow."""

import dataclasses
import logging
import re
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from t2t.optional import optional_import
from t2t.training.run_directory import RunDirectory
from t2t.training.trackers.base import Tracker
from t2t.training.trackers.continuation import not_yet_logged, recall, remember

# What a server takes at once, and of a parameter's value.
_MOST_METRICS, _MOST_PARAMETERS, _LONGEST_VALUE = 1000, 100, 6000


@dataclasses.dataclass
class MLflow(Tracker):
    """A run of MLflow, on a server or in a database; it goes on after an interruption.

    MLflow cannot take values back: of steps that come once more, it keeps those it has.

    Attributes:
      tracking_uri: such as "http://host:5000" or "sqlite:////folder/mlflow.db"; None for what
        MLflow takes by itself, `MLFLOW_TRACKING_URI` or `mlflow.db` in the current folder.
      experiment: that the run belongs to; made if there is none.
      name: of the run; None for the last part of MODEL_DIR.
    """

    tracking_uri: str | None = None
    experiment: str = "t2t"
    name: str | None = None

    requires: ClassVar[str] = "mlflow"

    def start(self, run: RunDirectory, config: Mapping[str, Any], resume_step: int) -> None:
        mlflow = optional_import("mlflow", "The tracker MLflow", extra="mlflow")
        # They tell of each try and each table; what fails in the end is raised.
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self._entities = mlflow.entities
        self._client = mlflow.MlflowClient(self.tracking_uri)
        kept = recall(run, "mlflow")
        if "id" in kept:
            self._id = kept["id"]
            self._client.update_run(self._id, status="RUNNING")
        else:
            self._id = self._new_run(run, config)
            remember(run, "mlflow", {"id": self._id})
        newest = self._client.get_run(self._id).data._metric_objs
        self._last = {metric.key: metric.step for metric in newest}

    def log(self, step: int, values: Mapping[str, float]) -> None:
        allowed = {_allowed(name): float(value) for name, value in values.items()}
        new = list(not_yet_logged(allowed, step, self._last).items())
        now = int(time.time() * 1000)
        for first in range(0, len(new), _MOST_METRICS):
            part = new[first : first + _MOST_METRICS]
            metrics = [self._entities.Metric(name, value, now, step) for name, value in part]
            self._client.log_batch(self._id, metrics=metrics)
        self._last |= dict.fromkeys(dict(new), step)

    def close(self) -> None:
        self._client.set_terminated(self._id)

    def _new_run(self, run: RunDirectory, config: Mapping[str, Any]) -> str:
        found = self._client.get_experiment_by_name(self.experiment)
        experiment = found.experiment_id if found else self._client.create_experiment(
            self.experiment)  # fmt: skip
        new = self._client.create_run(experiment, run_name=self.name or run.path.name).info.run_id
        parameters = [
            self._entities.Param(_allowed(name), str(value)[:_LONGEST_VALUE])
            for name, value in config.items()
        ]
        for first in range(0, len(parameters), _MOST_PARAMETERS):
            self._client.log_batch(new, params=parameters[first : first + _MOST_PARAMETERS])
        return new


def _allowed(name: str) -> str:
    """Of letters, digits and "_-. /": what MLflow takes in names everywhere."""
    return re.sub(r"[^A-Za-z0-9_\-. /]", "_", name)
