"""From what a model gave for the examples of one task to metrics and records."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from t2t.data.metric_kinds import MetricKind
from t2t.decoding.prediction import Prediction
from t2t.errors import UserError, described
from t2t.evaluation import records
from t2t.evaluation.references import References, invalid_predictions
from t2t.evaluation.resampling import Resampling
from t2t.evaluation.task_metrics import task_metrics
from t2t.evaluation.term_metrics import term_metrics

Sums = Mapping[str, np.ndarray]
"""What `make_eval_step` returns, float64 `[examples]`."""


class Judged(NamedTuple):
    """Of all examples of a task.

    Attributes:
      metrics: by name.
      resamplings: of them.
      records: one per example.
    """

    metrics: dict[str, float]
    resamplings: list[Resampling]
    records: tuple[records.Record, ...]


def judge_loss(sums: Sums) -> Judged:
    """Of a task that has no metrics of its own."""
    empty: list[records.Record] = [{} for _ in sums["loss"]]
    return Judged(*term_metrics(sums), records.completed(empty, sums, {}, {}))


def judge(known: References, sums: Sums, predictions: Sequence[Prediction] | None) -> Judged:
    """Of a task with metrics; where no example has a target, there are none.

    Args:
      known: the targets.
      sums: of all shares; empty if nothing was scored.
      predictions: of this share, if the model was asked for any.
    """
    task, labelled = known.examples.task, known.are_labelled
    outputs: dict[MetricKind, Sequence[Any]] = {}
    if sums:
        outputs["score"] = (-sums["loss"]).tolist()
    values: dict[str, Sequence[Any]] = {}
    if predictions is not None:
        answers = known.postprocessed([prediction.text for prediction in predictions])
        scores = known.of_all([prediction.score for prediction in predictions])
        pairs = zip(answers, scores, strict=True)
        outputs["predict"] = answers
        outputs["predict_with_aux"] = [(answer, {"scores": score}) for answer, score in pairs]
        if task.postprocess_fn:
            values["prediction_value"] = answers
    every = predictions if predictions is not None else itertools.repeat(None)
    shown = known.of_all(
        [
            records.of_text(text, prediction, labelled=labelled)
            for text, prediction in zip(known.texts, every, strict=False)
        ]
    )
    if not labelled:
        return Judged({}, [], records.completed(shown, sums, values, {}))
    if task.postprocess_fn:
        values["target_value"] = known.targets
    metrics, resamplings = term_metrics(sums)
    own = task_metrics(task, known.targets, outputs)
    metrics |= own.metrics
    if predictions is not None:
        metrics |= invalid_predictions(known.targets, outputs["predict"])
    return Judged(
        metrics,
        resamplings + own.resamplings,
        records.completed(shown, sums, values, own.values),
    )


def judge_rule(known: References) -> dict[str, float]:
    """The task's metrics for its trivial rule, if it has one."""
    task = known.examples.task
    if task.baseline_fn is None:
        return {}
    try:
        guesses = [task.baseline_fn(text["inputs"]) for text in known.texts]
    except Exception as error:
        raise UserError(f"Task '{task.name}': baseline_fn failed: {described(error)}") from error
    return task_metrics(task, known.targets, {"predict": known.postprocessed(guesses)}).metrics
