"""Checkpoints of the training state: Orbax behind one small interface.

A checkpoint is a folder `<step>` with the items `params`, `train` (step and optimiser state) and
`data` (position in the data), and a manifest of checksums. Saving is asynchronous and atomic: a
folder with a step's name is complete. State on disk is plain nested dicts, so that code may change
around it.
"""

import contextlib
import dataclasses
import logging
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers

from t2t.errors import UserError, did_you_mean
from t2t.models.definition import Params
from t2t.training.manifest import NAME, damage, write_manifest
from t2t.training.state import TrainState

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class CheckpointPolicy:
    """When to save, and what to keep; a checkpoint is kept if any rule asks for it.

    Attributes:
      every: steps between checkpoints; the last step is always saved.
      keep_latest: how many of the newest to keep.
      keep_every: also keep the multiples of this many steps, for ever.
      keep_best: how many of the best by `best_metric` to keep.
      best_metric: "loss" (mean over tasks) or "<task>/<metric>", of the evaluation at that step.
      best_mode: "min" or "max".
    """

    every: int = 1000
    keep_latest: int = 2
    keep_every: int | None = None
    keep_best: int = 0
    best_metric: str = "loss"
    best_mode: str = "min"

    def __post_init__(self):
        if self.every < 1 or self.keep_latest < 1 or self.keep_best < 0:
            raise UserError(
                "CheckpointPolicy needs every >= 1, keep_latest >= 1 and keep_best >= 0, got "
                f"{self.every}, {self.keep_latest} and {self.keep_best}."
            )
        if self.best_mode not in ("min", "max"):
            raise UserError(f"best_mode is '{self.best_mode}', must be 'min' or 'max'.")


class Checkpoints:
    """The checkpoints of one run. Use as a context manager: leaving it waits for pending saves."""

    def __init__(self, directory: Path, policy: CheckpointPolicy | None = None):
        """Opens `directory`; with a `policy` for saving, without one for reading only."""
        self._directory = directory.absolute()
        self._policy = policy
        if policy is None:
            options = ocp.CheckpointManagerOptions(read_only=True, create=False)
        else:
            options = ocp.CheckpointManagerOptions(
                preservation_policy=_preservation(policy),
                # Without a best_fn Orbax does not store the metrics that BestN needs.
                best_fn=(lambda metrics: metrics[policy.best_metric]) if policy.keep_best else None,
                best_mode=policy.best_mode,
                cleanup_tmp_directories=True,
                enable_async_checkpointing=True,
            )
        self._manager = ocp.CheckpointManager(
            self._directory,
            options=options,
            item_handlers={
                "params": ocp.StandardCheckpointHandler(),
                "train": ocp.StandardCheckpointHandler(),
                "data": ocp.JsonCheckpointHandler(),
            },
        )

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, kind, *_):
        try:
            self.wait()
        except UserError:
            if kind is None:  # else the error that brought us here matters more
                raise
        finally:
            with contextlib.suppress(Exception):  # repeats the error of a failed save
                self._manager.close()

    def steps(self) -> list[int]:
        """Steps with a committed checkpoint, ascending."""
        return sorted(self._manager.all_steps())

    def save(
        self,
        state: TrainState,
        data: Mapping[str, Any],
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Starts to save; returns once the arrays are copied. Waits for a save still running.

        Args:
          state: what to save; may be donated afterwards.
          data: position in the data, as JSON.
          metrics: of an evaluation at this step, for `keep_best`.

        Raises:
          UserError: if this or the previous save failed, for example for lack of space.
        """
        self.wait()
        step = int(state.step)
        self._check_space(step, state)
        self._check_metric(metrics)
        items = ocp.args.Composite(
            params=ocp.args.StandardSave(state.params),
            train=ocp.args.StandardSave(_train_item(state)),
            data=ocp.args.JsonSave(dict(data)),
        )
        try:
            self._manager.save(step, args=items, metrics=metrics and dict(metrics), force=True)
        except Exception as error:
            raise self._failed(step, error) from error

    def wait(self) -> None:
        """Waits until every save is committed and sealed; raises UserError if one failed."""
        try:
            self._manager.wait_until_finished()
        except Exception as error:
            raise self._failed(None, error) from error
        self.seal()

    def seal(self) -> None:
        """Adds the manifests of what has been committed by now; call it now and then.

        Raises:
          UserError: if one cannot be written. Its checkpoint is complete without.
        """
        if self._policy is None or jax.process_index() or self._manager.is_saving_in_progress():
            return
        for step in self.steps():
            if not (self._folder(step) / NAME).exists():
                try:
                    write_manifest(self._folder(step))
                except OSError as error:
                    raise self._failed(step, error) from error

    def restore(
        self, abstract: TrainState, *, fall_back: bool = False
    ) -> tuple[TrainState, dict[str, Any]] | None:
        """The newest state and data position, or None if there is no checkpoint.

        Args:
          abstract: shapes, dtypes and shardings to restore to.
          fall_back: if the newest checkpoint is damaged, set it aside and use the one before.

        Raises:
          UserError: if the newest checkpoint is damaged, naming the file, or none is intact.
        """
        step = self._intact_step(None, fall_back)
        if step is None:
            return None
        self._check_optimizer(step, _by_name(abstract.opt_state))
        restored = self._read(
            step,
            params=ocp.args.StandardRestore(abstract.params),
            train=ocp.args.StandardRestore(_train_item(abstract)),
            data=ocp.args.JsonRestore(),
        )
        structure = jax.tree.structure(abstract.opt_state)
        leaves = [restored.train["opt_state"][key] for key in _train_item(abstract)["opt_state"]]
        state = TrainState(
            restored.train["step"], restored.params, jax.tree.unflatten(structure, leaves)
        )
        return state, restored.data

    def restore_params(
        self, abstract: Params, step: int | None = None, *, fall_back: bool = False
    ) -> tuple[Params, int]:
        """The parameters of `step` (None: the newest), and the step.

        Raises:
          UserError: if there is no such checkpoint, or it is damaged.
        """
        found = self._intact_step(step, fall_back)
        if found is None:
            raise UserError(f"There is no checkpoint in '{self._directory}'.")
        restored = self._read(found, params=ocp.args.StandardRestore(abstract))
        return restored.params, found

    def params_folder(self, step: int | None = None, *, fall_back: bool = False) -> Path:
        """Where the parameters are that `restore_params` would read; raises as it does."""
        found = self._intact_step(step, fall_back)
        if found is None:
            raise UserError(f"There is no checkpoint in '{self._directory}'.")
        return self._folder(found) / "params"

    def _read(self, step: int, **items):
        try:
            stored = self._manager.item_metadata(step)["params"]
            self._check_shapes(step, stored, items["params"].item)
            return self._manager.restore(step, args=ocp.args.Composite(**items))
        except UserError:
            raise
        except Exception as error:
            raise UserError(
                f"Checkpoint {self._folder(step)} cannot be read: {_first_line(error)}"
            ) from error

    def _check_optimizer(self, step: int, wanted: Mapping[str, Any]) -> None:
        stored = self._manager.item_metadata(step)["train"]["opt_state"]
        there = {name: tuple(leaf.shape) for name, leaf in stored.items()}
        here = {name: tuple(leaf.shape) for name, leaf in wanted.items()}
        differing = sorted(there.keys() ^ here.keys()) or [
            name for name in sorted(here) if there[name] != here[name]
        ]
        if differing:
            raise UserError(
                f"Checkpoint {self._folder(step)} has the state of another optimizer, or of other "
                f"trained parameters; they differ in {differing[0]}. To change train.optimizer or "
                "train.trainable, start a new MODEL_DIR with train.init_from set to this one."
            )

    def _check_shapes(self, step: int, stored: Any, wanted: Params) -> None:
        there = {k: tuple(v.shape) for k, v in _by_name(stored).items()}
        here = {k: tuple(v.shape) for k, v in _by_name(wanted).items()}
        for name in sorted(there.keys() | here.keys()):
            if there.get(name) != here.get(name):
                raise UserError(
                    f"Checkpoint {self._folder(step)} is of another model: parameter {name} is "
                    f"{there.get(name, 'not')} there and {here.get(name, 'not')} in this one."
                )

    def _intact_step(self, step: int | None, fall_back: bool) -> int | None:
        steps = self.steps()
        if step is not None and step not in steps:
            raise UserError(
                f"There is no checkpoint of step {step} in '{self._directory}'; there are "
                f"{', '.join(map(str, steps)) or 'none'}."
            )
        candidates = [step] if step is not None else list(reversed(steps))
        for candidate in candidates:
            problem = damage(self._folder(candidate))
            if problem is None:
                return candidate
            if not fall_back:
                raise UserError(
                    f"Checkpoint of step {candidate} is damaged: {problem}. Pass --fall_back to "
                    f"use the newest intact one instead"
                    + (f" (there are {steps[:-1]})." if steps[:-1] else "; there is no other.")
                )
            log.warning("checkpoint of step %d is damaged: %s", candidate, problem)
            if self._policy:
                self._set_aside(candidate)
        if steps:
            raise UserError(f"None of the checkpoints in '{self._directory}' is intact.")
        return None

    def _set_aside(self, step: int) -> None:
        """Moves a damaged checkpoint to `damaged/`, so that its step can be saved again."""
        aside = self._directory.parent / "damaged"
        aside.mkdir(exist_ok=True)
        target = aside / str(step)
        shutil.rmtree(target, ignore_errors=True)
        self._folder(step).rename(target)
        self._manager.reload()
        log.warning("moved it to %s", target)

    def _folder(self, step: int) -> Path:
        return self._directory / str(step)

    def _check_space(self, step: int, state: TrainState) -> None:
        """A full disk is better noticed before half a checkpoint is written."""
        needed = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
        free = shutil.disk_usage(self._directory).free
        if free < needed:
            reason = OSError(f"no space left: {needed:,} bytes are needed, {free:,} are free.")
            raise self._failed(step, reason)

    def _check_metric(self, metrics: Mapping[str, float] | None) -> None:
        policy = self._policy
        if policy and policy.keep_best and metrics and policy.best_metric not in metrics:
            raise UserError(
                f"CheckpointPolicy.best_metric = '{policy.best_metric}', but the evaluation gave "
                f"{', '.join(sorted(metrics))}.{did_you_mean(policy.best_metric, metrics)}"
            )

    def _failed(self, step: int | None, error: Exception) -> UserError:
        good = [s for s in self.steps() if s != step]
        kept = (
            f"The checkpoint of step {good[-1]} is intact." if good else "There is none before it."
        )
        what = f"of step {step} " if step is not None else ""
        return UserError(
            f"Saving a checkpoint {what}to '{self._directory}' failed: {_first_line(error)} {kept} "
            f"Free some space or mend the folder, and run the same command again to go on from it."
        )


def _train_item(state: TrainState) -> dict[str, Any]:
    """Step and optimiser state as a plain dict, leaves by their path."""
    return {"step": state.step, "opt_state": _by_name(state.opt_state)}


def _by_name(tree: Any) -> dict[str, Any]:
    """Leaves by their path, as in "encoder.layers.mlp.wo.kernel"."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def _preservation(policy: CheckpointPolicy):
    rules: list[Any] = [checkpoint_managers.LatestN(policy.keep_latest)]
    if policy.keep_every:
        rules.append(checkpoint_managers.EveryNSteps(policy.keep_every))
    if policy.keep_best:
        rules.append(
            checkpoint_managers.BestN(
                get_metric_fn=lambda metrics: metrics[policy.best_metric],
                reverse=policy.best_mode == "min",
                n=policy.keep_best,
                keep_checkpoints_without_metrics=False,
            )
        )
    return checkpoint_managers.AnyPreservationPolicy(rules)


def _first_line(error: BaseException) -> str:
    """The most telling line of a library's error: the innermost cause's first."""
    while error.__cause__ is not None:
        error = error.__cause__
    message = str(error).strip() or type(error).__name__
    full = re.search(r"No space left on device", message)
    return "no space left on device." if full else message.splitlines()[0][:300]
