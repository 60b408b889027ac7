"""Checkpoints of the training state: Orbax behind one small interface.

A checkpoint is a folder `<step>` with the items `params`, `train` (step, optimiser state, what the
guard remembers), `data` (position in the data) and, where the best are kept, `metrics`; and a
manifest (`manifest.py`). Saving is asynchronous and atomic (`sealing.py`): a folder with a step's
name is complete. So is deleting: it begins by moving the folder to `deleted/`.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import orbax.checkpoint as ocp
from etils import epath

from t2t.errors import UserError
from t2t.models.definition import Params
from t2t.training.checkpoint_errors import (
    check_space,
    first_line,
    other_optimizer,
    save_failed,
    stopped_by,
)
from t2t.training.checkpoint_leftovers import DELETED, Leftovers
from t2t.training.checkpoint_policy import CheckpointPolicy, best_steps
from t2t.training.intact import choose, set_aside
from t2t.training.save_barriers import unless_failing
from t2t.training.sealing import SealedPath, is_local
from t2t.training.state import TrainState
from t2t.training.stored_state import difference, from_items, stored_part, train_item

log = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoints of one run. Use as a context manager: leaving it waits for pending saves.

    Of several processes, all have to do the same with it.

    Attributes:
      failures: saves that failed so far, if the policy is to go on then.
    """

    def __init__(self, directory: epath.PathLike, policy: CheckpointPolicy | None = None):
        """Opens `directory`; with a `policy` for saving, without one for reading only."""
        self._directory = epath.Path(directory)
        self._local = is_local(self._directory)
        if self._local:
            self._directory = self._directory.absolute()
        self._policy = policy
        self._metrics: dict[int, Mapping[str, float]] = {}
        self._failure: UserError | None = None
        self.failures = 0
        self._leftovers = Leftovers(self._directory)
        self._manager = self._open()
        if policy is not None and policy.keep_best:
            self._metrics |= {step: self._stored_metrics(step) for step in self.steps()}
        self.tidy()

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, kind, *_):
        try:
            self.wait()
        except UserError:
            if kind is None:  # else the error that brought us here matters more
                raise
        finally:
            self._close()
            if self._policy is not None:
                self._leftovers.close()

    def steps(self) -> list[int]:
        """Steps with a committed checkpoint, ascending."""
        return sorted(self._manager.all_steps())

    def best_step(self, metric: str = "loss", mode: str = "min") -> int | None:
        """The step whose stored metrics are best; None if no checkpoint has this one.

        They are stored by runs whose policy keeps the best.
        """
        metrics = {step: self._stored_metrics(step) for step in self.steps()}
        return next(iter(best_steps(metrics, metric, mode)), None)

    def save(
        self,
        state: TrainState,
        data: Mapping[str, Any],
        metrics: Mapping[str, float] | None = None,
    ) -> float:
        """Starts to save, once a save still running is done; returns once the arrays are copied.

        Args:
          state: what to save; may be donated afterwards.
          data: position in the data, as JSON.
          metrics: of an evaluation at this step, for `keep_best`.

        Returns:
          Seconds that this took.

        Raises:
          UserError: if this or the previous save failed, for example for lack of space, and the
            policy is to stop then.
        """
        start = time.perf_counter()
        assert self._policy is not None, "opened for reading only"
        self._policy.check_metrics(metrics)
        self.settle()
        if self._attempt(lambda: self._begin(state, data, metrics), int(state.step)):
            self._failure = None
        self.tidy()
        return time.perf_counter() - start

    def settle(self) -> None:
        """Waits until no save is running; raises UserError if it failed and training is to stop."""
        self._attempt(self._manager.wait_until_finished)

    def wait(self) -> None:
        """Waits until every save is committed; raises UserError if the last one failed."""
        self.settle()
        if self._failure:
            raise stopped_by(self._failure)
        self.tidy()

    def delete(self, step: int) -> None:
        """Deletes a checkpoint; no save may be running."""
        self._manager.delete(step)
        self._metrics.pop(step, None)

    def tidy(self) -> None:
        """Removes, in the background, what no rule wants to keep; call it now and then."""
        if self._policy is not None:
            self._leftovers.remove_deleted_soon()

    def restore(self, abstract: TrainState) -> tuple[TrainState, dict[str, Any]] | None:
        """State and data position of the newest intact checkpoint; None if there are none at all.

        Damaged ones that are newer are named in the log and, by a run that saves here, moved to
        `damaged/` beside the folder, so that their steps can be saved again.

        Args:
          abstract: shapes, dtypes and shardings to restore to.

        Raises:
          UserError: if none is intact, or it is of another model or optimiser.
        """
        step = self._choose(None)
        if step is None:
            return None
        return self._read(step, lambda: self._read_state(step, abstract))

    def restore_params(self, abstract: Params, step: int | None = None) -> tuple[Params, int]:
        """The parameters of `step` (None: the newest that is intact), and the step.

        Raises:
          UserError: if there is no such checkpoint, or it is damaged.
        """
        found = self._choose_some(step)
        return self._read(found, lambda: self._read_params(found, abstract)), found

    def params_folder(self, step: int | None = None) -> epath.Path:
        """Where the parameters are that `restore_params` would read; raises as it does."""
        return self._folder(self._choose_some(step)) / "params"

    def _open(self) -> ocp.CheckpointManager:
        policy = self._policy
        options = ocp.CheckpointManagerOptions(
            read_only=policy is None,
            create=policy is not None,
            save_interval_steps=0 if policy is None else 1,
            temporary_path_class=SealedPath,
            lightweight_initialize=True,  # else a damaged file of any checkpoint is an error here
        )
        if policy is not None:
            options.preservation_policy = policy.preservation(self._metrics)
            # Without a best_fn Orbax does not store metrics.
            options.best_fn = _never if policy.keep_best else None
            options.cleanup_tmp_directories = True
            options.todelete_subdir = DELETED if self._local else None
            # If making folders fails in the background, other threads wait minutes for them.
            options.async_options = ocp.AsyncOptions(
                create_directories_asynchronously=not self._local, barrier_sync_fn=unless_failing
            )
        return ocp.CheckpointManager(
            self._directory,
            options=options,
            item_handlers={
                "params": ocp.StandardCheckpointHandler(),
                "train": ocp.StandardCheckpointHandler(),
                "data": ocp.JsonCheckpointHandler(),
            },
        )

    def _close(self) -> None:
        with contextlib.suppress(Exception):  # repeats the error of a failed save
            self._manager.close()

    def _attempt(self, action: Callable[[], None], step: int | None = None) -> bool:
        """Whether it succeeded; raises UserError if the policy is to stop; `step` is for that."""
        try:
            action()
        except Exception as cause:
            error = self._failed(step, cause)
            alone = jax.process_count() == 1  # others, which may not fail, wait in their saves
            stop = not alone or self._policy is None or self._policy.on_failure == "stop"
            self._close()
            self._leftovers.remove_unfinished()
            if alone:
                self._manager = self._open()
            if stop:
                raise stopped_by(error) from cause
            self.failures += 1
            self._failure = error
            log.error("%s Training goes on (CheckpointPolicy.on_failure = 'continue').", error)
            return False
        return True

    def _begin(self, state: TrainState, data: Mapping[str, Any], metrics: Any) -> None:
        step = int(state.step)
        items = ocp.args.Composite(
            params=ocp.args.StandardSave(state.params),
            train=ocp.args.StandardSave(train_item(state)),
            data=ocp.args.JsonSave(dict(data)),
        )
        check_space(self._directory, jax.tree.leaves(state))
        self._metrics[step] = dict(metrics or {})
        self._manager.save(step, args=items, metrics=metrics and dict(metrics), force=True)

    def _failed(self, step: int | None, error: Exception) -> UserError:
        good = [s for s in self.steps() if s != step]
        return save_failed(self._directory, step, error, good[-1] if good else None)

    def _stored_metrics(self, step: int) -> Mapping[str, float]:
        try:
            return self._manager.metrics(step) or {}
        except Exception as error:
            log.warning("metrics of checkpoint %d cannot be read: %s", step, first_line(error))
            return {}

    def _choose_some(self, step: int | None) -> int:
        found = self._choose(step)
        if found is None:
            raise UserError(f"There is no checkpoint in '{self._directory}'.")
        return found

    def _choose(self, step: int | None) -> int | None:
        found, damaged = choose(self._directory, self.steps(), step)
        if damaged and self._policy is not None:
            set_aside(self._directory, damaged)
            self._metrics = {k: v for k, v in self._metrics.items() if k not in damaged}
            self._close()
            self._manager = self._open()
        return found

    def _read(self, step: int, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except UserError:
            raise
        except Exception as error:
            raise UserError(
                f"Checkpoint {self._folder(step)} cannot be read: {first_line(error)}"
            ) from error

    def _read_state(self, step: int, abstract: TrainState) -> tuple[TrainState, dict[str, Any]]:
        stored = self._manager.item_metadata(step)
        self._check_model(step, stored["params"], abstract.params)
        wanted = stored_part(abstract, stored["train"])
        if differing := difference(stored["train"]["opt_state"], wanted["opt_state"]):
            raise other_optimizer(self._folder(step), differing)
        args = ocp.args.Composite(
            params=ocp.args.StandardRestore(abstract.params),
            train=ocp.args.StandardRestore(wanted),
            data=ocp.args.JsonRestore(),
        )
        restored = self._manager.restore(step, args=args)
        return from_items(abstract, restored.params, restored.train), restored.data

    def _read_params(self, step: int, abstract: Params) -> Params:
        self._check_model(step, self._manager.item_metadata(step)["params"], abstract)
        args = ocp.args.Composite(params=ocp.args.StandardRestore(abstract))
        return self._manager.restore(step, args=args).params

    def _check_model(self, step: int, stored: Any, wanted: Params) -> None:
        if differing := difference(stored, wanted):
            raise UserError(
                f"Checkpoint {self._folder(step)} is of another model: parameter {differing}."
            )

    def _folder(self, step: int) -> epath.Path:
        return self._directory / str(step)


def _never(_: Any) -> float:
    raise AssertionError("CheckpointPolicy.preservation chooses the best")
