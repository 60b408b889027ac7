"""Weights & Biases."""

import dataclasses
import logging
import os
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from t2t.optional import optional_import
from t2t.paths import is_remote
from t2t.training.run_directory import RunDirectory
from t2t.training.trackers.base import Tracker
from t2t.training.trackers.continuation import not_yet_logged, recall, remember

_PATIENCE = 20.0  # seconds until a service that does not answer is tried again later

log = logging.getLogger(__name__)


@dataclasses.dataclass
class Wandb(Tracker):
    """A run of Weights & Biases, which goes on under its id after an interruption.

    Its environment variables count: `WANDB_API_KEY`, `WANDB_MODE=offline` and so on. The service
    keeps what it has of steps that come once more, and leaves out the new ones; so does
    this class where the service is not asked, offline.

    Attributes:
      project: of the run.
      entity: team or user; None for the default.
      name: of the run; None for the last part of MODEL_DIR.
      group: of runs, if it belongs to one.
      tags: of the run.
    """

    project: str = "t2t"
    entity: str | None = None
    name: str | None = None
    group: str | None = None
    tags: Sequence[str] = ()

    requires: ClassVar[str] = "wandb"

    def start(self, run: RunDirectory, config: Mapping[str, Any], resume_step: int) -> None:
        wandb = optional_import("wandb", "The tracker Wandb", extra="wandb")
        self._folder = run
        self._kept = {"id": uuid.uuid4().hex[:12], "offline": {}} | recall(run, "wandb")
        remember(run, "wandb", self._kept)
        # Silent: it would ask for a key on the terminal, and print over the progress.
        settings = wandb.Settings(silent=True, console="off", init_timeout=_PATIENCE)
        wandb.setup(settings)
        elsewhere = is_remote(run.path) or "WANDB_DIR" in os.environ
        self._run = wandb.init(
            id=self._kept["id"],
            resume="allow",
            project=self.project,
            entity=self.entity,
            name=self.name or run.path.name,
            group=self.group,
            tags=tuple(self.tags),
            config=dict(config),
            allow_val_change=True,
            dir=None if elsewhere else str(run.path),
            reinit="create_new",
            settings=settings,
        )
        if self._run.url:
            log.info("Weights & Biases: %s", self._run.url)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        if not self._run.offline:
            self._run.log(dict(values), step=step)
            return
        if new := not_yet_logged(values, step, self._kept["offline"]):
            self._run.log(new, step=step)
            self._kept["offline"] |= dict.fromkeys(new, step)
            remember(self._folder, "wandb", self._kept)

    def close(self) -> None:
        self._run.finish()
