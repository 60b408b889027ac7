"""The folder of a run: what it holds beside checkpoints, and who may write there."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from t2t.errors import UserError
from t2t.models.definition import ModelConfig
from t2t.models.lora import LoRA
from t2t.models.serialization import from_dict, to_dict
from t2t.replacing import replacing


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
    def started(self) -> Path:
        """When the run was first started, in seconds since the epoch."""
        return self.path / "started.txt"

    @property
    def starts(self) -> Path:
        """One JSON object per line: when, from which step and on what training was started."""
        return self.path / "starts.jsonl"

    @property
    def tensorboard(self) -> Path:
        return self.path / "tensorboard"

    @property
    def trackers(self) -> Path:
        """Under which ids services know the run."""
        return self.path / "trackers.json"

    @property
    def predictions(self) -> Path:
        """`<task>-<step>.jsonl` of inputs, targets and predictions."""
        return self.path / "eval"

    @property
    def identity(self) -> Path:
        """What checkpoints depend on: architecture and vocabularies."""
        return self.path / "model.json"

    @property
    def model_gin(self) -> Path:
        """Of an imported model: its settings, for gin files to include."""
        return self.path / "model.gin"

    @property
    def generation_gin(self) -> Path:
        """Of an imported model: what generation keeps to, if anything, for gin files, too."""
        return self.path / "generation.gin"

    @property
    def tokenizer(self) -> Path:
        """Of an imported model: its tokenizer's files, as they were."""
        return self.path / "tokenizer"

    def create(self) -> None:
        """Makes the folder; raises UserError if that is not possible."""
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"Cannot make the folder '{self.path}': {error.strerror}.") from error

    def check_identity(
        self,
        model: ModelConfig,
        vocabularies: Mapping[str, str] | None = None,
        lora: LoRA | None = None,
    ) -> None:
        """Raises UserError if the folder belongs to another architecture or vocabulary.

        Args:
          model: the configuration about to be used.
          vocabularies: fingerprint by feature; None to compare the architecture alone.
          lora: adapters beside its kernels, compared if vocabularies are.
        """
        if not self.identity.exists():
            return
        identity = self.stored_identity()
        # Settings that came with a later version have their defaults.
        identity["model"] = to_dict(from_dict(identity["model"], str(self.identity)))
        current = _identity(model, vocabularies or {}, lora)
        compared = {"model"}
        if vocabularies is not None and "imported" not in identity:
            # An imported model reads any vocabulary that its table has rows for.
            compared |= current.keys()
            known = identity["vocabularies"]
            identity["vocabularies"] = {name: known.get(name) for name in current["vocabularies"]}
        there, now = ({k: x.get(k) for k in sorted(compared)} for x in (identity, current))
        if differing := _differences(there, now):
            left = len(differing) - _MOST_LISTED
            more = f"; and {left} more" if left > 0 else ""
            raise UserError(
                f"'{self.path}' was written by another model: "
                f"{'; '.join(differing[:_MOST_LISTED])}{more}. Choose another folder, or give the "
                f"configuration that it was trained with."
            )

    def check_trainable(self) -> None:
        """Raises UserError if the folder holds an imported model without optimiser state."""
        if not self.identity.exists():
            return
        imported = self.stored_identity().get("imported")
        if imported and not imported["optimizer"]:
            raise UserError(
                f"'{self.path}' holds an imported model without the state of an optimizer, so "
                f"training cannot go on there. Start a new MODEL_DIR with train.init_from = "
                f"'{self.path}'."
            )

    def stored_identity(self) -> dict[str, Any]:
        """What was written: "model", "vocabularies", "lora" and, of imported ones, "imported".

        Raises:
          UserError: if that is damaged.
        """
        try:
            identity = json.loads(self.identity.read_text(encoding="utf-8"))
        except ValueError:  # of UTF-8 or JSON
            identity = None
        if not isinstance(identity, dict) or not {"model", "vocabularies"} <= identity.keys():
            raise UserError(
                f"'{self.identity}' is damaged. Put a copy of it there; or remove it, if you are "
                f"sure of the gin files that the run was trained with: `t2t train` writes it anew."
            )
        return identity

    def write_identity(
        self,
        model: ModelConfig,
        vocabularies: Mapping[str, str],
        imported: Mapping[str, Any] | None = None,
        lora: LoRA | None = None,
    ) -> None:
        """Claims the folder for this architecture.

        Args:
          model: its configuration.
          vocabularies: fingerprint by feature.
          lora: adapters beside its kernels.
          imported: where from, if it was; and whether the optimiser's state came along.
        """
        identity = _identity(model, vocabularies, lora) | (
            {"imported": imported} if imported else {}
        )
        self.write(self.identity, json.dumps(identity, indent=1) + "\n")

    def write(self, path: Path, text: str) -> None:
        """Writes a file whole or not at all; raises UserError if it cannot be written."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as partial:
                partial.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UserError(f"Cannot write '{path}': {error.strerror}.") from error


# How a model computes may change from run to run; what its parameters mean may not.
_FREE = {"compute", "dropout", "init"}
_MOST_LISTED = 10


def _identity(
    model: ModelConfig, vocabularies: Mapping[str, str], lora: LoRA | None
) -> dict[str, Any]:
    return {"model": to_dict(model), "vocabularies": dict(vocabularies), "lora": to_dict(lora)}


def _differences(there: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What to say of each setting that differs, also of those that only one side has."""
    stored, current = _flat(there), _flat(now)
    return [
        f"{name} is {stored.get(name)!r} there and {current.get(name)!r} now"
        for name in dict.fromkeys([*current, *stored])
        if stored.get(name) != current.get(name) and not _FREE & {*name.split(".")}
    ]


def _flat(tree: Any, path: str = "") -> dict[str, Any]:
    """`{"model.encoder.d_model": 512, ...}`."""
    if not isinstance(tree, Mapping):
        return {path: tree}
    parts = [_flat(value, f"{path}.{name}" if path else name) for name, value in tree.items()]
    return {name: value for part in parts for name, value in part.items()}
