"""Which of a run's checkpoints to evaluate: the best, or all, also while they come."""

import json
import logging
import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from t2t.errors import UserError, did_you_mean
from t2t.evaluation.evaluator import Evaluator
from t2t.evaluation.result_files import read_results, write_results
from t2t.evaluation.results import TaskResult, lower_is_better
from t2t.paths import run_folder
from t2t.trained import at_step
from t2t.trained_model import TrainedModel
from t2t.training.checkpoint_policy import best_steps
from t2t.training.checkpoints import CheckpointPolicy, Checkpoints
from t2t.training.run_directory import RunDirectory

log = logging.getLogger(__name__)


def steps_of(model_dir: str) -> list[int]:
    """Steps with a checkpoint, ascending."""
    folder = RunDirectory(run_folder(model_dir)).checkpoints
    if not folder.exists():
        return []
    with Checkpoints(folder) as checkpoints:
        return checkpoints.steps()


def await_checkpoint(model_dir: str, poll_seconds: float) -> None:
    """Returns once a run that has begun has its first checkpoint, or there is no such run."""
    run = RunDirectory(run_folder(model_dir))
    said = False
    while run.config.exists() and not steps_of(model_dir):
        if not said:
            log.info("waiting for the first checkpoint of '%s'", model_dir)
        said = True
        time.sleep(poll_seconds)


def best_step(trained: TrainedModel, model_dir: str, metric: str | None = None) -> int:
    """The step whose evaluation in training was best, of those with a checkpoint.

    Args:
      trained: the run.
      model_dir: its folder.
      metric: "loss", "<task>/<metric>" or "glue_average"; None for that of its CheckpointPolicy.

    Raises:
      UserError: if training did not evaluate by that metric at the step of any checkpoint.
    """
    policy = trained.arguments.get("checkpoint", CheckpointPolicy())
    metric = metric or policy.best_metric
    mode = "min" if lower_is_better(metric) else "max"
    if metric == policy.best_metric:
        mode = policy.best_mode
    evaluated = _logged_metrics(RunDirectory(run_folder(model_dir)))
    known = sorted({name for metrics in evaluated.values() for name in metrics})
    if metric not in known:
        raise UserError(
            f"'{model_dir}' was not evaluated by '{metric}' in training."
            f"{did_you_mean(metric, known)} Known are: {', '.join(known) or 'none'}."
        )
    steps = steps_of(model_dir)
    best = best_steps({step: evaluated.get(step, {}) for step in steps}, metric, mode)
    if not best:
        raise UserError(
            f"Of the checkpoints in '{model_dir}' ({', '.join(map(str, steps))}) none was "
            f"evaluated by '{metric}' in training, which was at {', '.join(map(str, evaluated))}. "
            f"`t2t eval --all` evaluates them; CheckpointPolicy.keep_best keeps the best."
        )
    return best[0]


def evaluate_all(
    trained: TrainedModel,
    model_dir: str,
    evaluator: Evaluator,
    output_dir: Path | None = None,
    poll_seconds: float | None = None,
) -> Iterator[tuple[int, Mapping[str, TaskResult]]]:
    """Yields the step and the results of each checkpoint, in order.

    What was evaluated alike before, and is in `output_dir` or else in the run's own `eval/`, is
    read instead, of this run alone. Checkpoints that are damaged or vanish meanwhile are named and
    left out.

    Args:
      trained: the run, at any step.
      model_dir: its folder.
      evaluator: of the model.
      output_dir: where to write results.
      poll_seconds: wait so long before looking for new checkpoints, until that of the last step of
        the run is evaluated; None for not at all.
    """
    settings = settings_of(evaluator, model_dir)
    own = RunDirectory(run_folder(model_dir)).predictions
    folder = output_dir or own
    # What training wrote does not say of which run it is.
    implied = {"run": settings["run"]} if folder.resolve() == own.resolve() else {}
    stored = {
        x.step: x.results for x in read_results(folder) if {**implied, **x.settings} == settings
    }
    last, done = trained.arguments.get("total_steps", 0), set[int]()
    while True:
        for step in _agreed([step for step in steps_of(model_dir) if step not in done]):
            done.add(step)
            if _agreed([step] if step in stored else []):
                yield step, stored.get(step, {})
                continue
            try:
                params = at_step(trained, model_dir, step).params
            except UserError as error:
                is_there = step in steps_of(model_dir)
                reason = error if is_there else "its checkpoint was deleted meanwhile"
                log.warning("step %d is left out: %s", step, reason)
                continue
            results = evaluator.evaluate(params)
            if output_dir is not None and jax.process_index() == 0:
                write_results(results, output_dir, step, settings)
            yield step, results
        if poll_seconds is None or max(done, default=-1) >= last:
            return
        time.sleep(poll_seconds)


def settings_of(evaluator: Evaluator, model_dir: str) -> dict[str, Any]:
    """What results depend on, as JSON: what they were evaluated on, the run and when it began."""
    run = RunDirectory(run_folder(model_dir))
    began = run.started.read_text(encoding="utf-8").strip() if run.started.exists() else None
    own = {"folder": str(run.path.resolve()), "began": began}
    return json.loads(json.dumps({**evaluator.settings, "run": own}))


def _logged_metrics(run: RunDirectory) -> dict[int, dict[str, float]]:
    """By step, what training logged of its evaluations."""
    found: dict[int, dict[str, float]] = {}
    if not run.metrics.exists():
        return found
    for line in run.metrics.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:  # being written
            continue
        metrics = {k[5:]: v for k, v in entry.items() if k.startswith("eval/")}
        if metrics:
            known = found.setdefault(entry["step"], {})
            known |= {name: math.nan if v is None else v for name, v in metrics.items()}
    return found


def _agreed(steps: list[int]) -> list[int]:
    """Those of process 0, on all processes: each may see the folder at another moment."""
    if jax.process_count() == 1:
        return steps
    count = int(multihost_utils.broadcast_one_to_all(np.array(len(steps))))
    own = np.array(steps[:count] + [0] * (count - len(steps)), np.int32)
    return np.asarray(multihost_utils.broadcast_one_to_all(own)).tolist() if count else []
