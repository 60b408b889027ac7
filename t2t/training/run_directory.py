"""The folder of a run: what it holds beside checkpoints, and who may write there."""

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from t2t.errors import UserError
from t2t.models.config import T5Config


@dataclasses.dataclass(frozen=True)
class RunDirectory:
    """`MODEL_DIR`: config.gin, model.json, parameters.txt, metrics.jsonl, checkpoints/, eval/."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def config(self) -> Path:
        """The operative gin configuration."""
        return self.path / "config.gin"

    @property
    def metrics(self) -> Path:
        """One JSON object per line: {"step": ..., "train/loss": ..., ...}."""
        return self.path / "metrics.jsonl"

    @property
    def tensorboard(self) -> Path:
        return self.path / "tensorboard"

    @property
    def predictions(self) -> Path:
        """`<task>-<step>.jsonl` of inputs, targets and predictions."""
        return self.path / "eval"

    @property
    def identity(self) -> Path:
        """What checkpoints depend on: architecture and vocabularies."""
        return self.path / "model.json"

    def create(self) -> None:
        """Makes the folder; raises UserError if that is not possible."""
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"Cannot make the folder '{self.path}': {error.strerror}.") from error

    def check_identity(
        self, model: T5Config, vocabularies: Mapping[str, str] | None = None
    ) -> None:
        """Raises UserError if the folder belongs to another architecture or vocabulary.

        Args:
          model: the configuration about to be used.
          vocabularies: fingerprint by feature; None to compare the architecture alone.
        """
        if not self.identity.exists():
            return
        stored = json.loads(self.identity.read_text(encoding="utf-8"))
        current = _identity(model, vocabularies or {})
        differing = [
            f"{name} is {stored.get(name)!r} there and {value!r} now"
            for name, value in current.items()
            if stored.get(name) != value
        ]
        if differing:
            raise UserError(
                f"'{self.path}' was written by another model: {'; '.join(differing)}. Choose "
                f"another folder, or give the configuration that it was trained with."
            )

    def write_identity(self, model: T5Config, vocabularies: Mapping[str, str]) -> None:
        """Claims the folder for this architecture."""
        self.write(self.identity, json.dumps(_identity(model, vocabularies), indent=1) + "\n")

    def write(self, path: Path, text: str) -> None:
        """Writes a file whole or not at all; raises UserError if it cannot be written."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(path.name + ".tmp")
            partial.write_text(text, encoding="utf-8")
            os.replace(partial, path)
        except OSError as error:
            raise UserError(f"Cannot write '{path}': {error.strerror}.") from error


# How a model computes may change from run to run; what its parameters mean may not.
_FREE = {"dtype", "remat", "dropout_rate"}


def _identity(model: T5Config, vocabularies: Mapping[str, str]) -> dict[str, Any]:
    fields = {k: v for k, v in dataclasses.asdict(model).items() if k not in _FREE}
    identity = {**fields, **{f"{name} vocabulary": v for name, v in vocabularies.items()}}
    return json.loads(json.dumps(identity))  # tuples become lists, as they will when read back
