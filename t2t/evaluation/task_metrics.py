"""All metrics of one task, from what the model gave for its examples."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from t2t.data.metric_kinds import MetricFn, MetricKind, metric_kind, metric_name
from t2t.data.tasks import Task
from t2t.errors import UserError
from t2t.evaluation.metrics.base import MeanMetric

ALWAYS = ("loss", "token_accuracy")
"""Names of what every task is evaluated by."""

Outputs = Mapping[MetricKind, Sequence[Any]]
"""By kind of metric, what it is given beside the targets, an element per example."""


def metric_kinds(task: Task) -> frozenset[MetricKind]:
    """Of the task's metrics; raises UserError if one takes what evaluation does not have."""
    with task.named_errors():
        kinds = frozenset(metric_kind(metric_fn) for metric_fn in task.metric_fns)
        if "predict_with_aux" in kinds:
            raise UserError(
                "it has a metric that takes aux_values, but evaluation has none to give."
            )
    return kinds


def task_metrics(
    task: Task, targets: Sequence[Any], outputs: Outputs
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Runs the task's metrics of the kinds that `outputs` has.

    Returns:
      `{name: value}`, and for those that are means what they are means of, float64 `[examples]` (or
      `[groups]`), by name.

    Raises:
      UserError: naming task and metric, if one fails or a name is given twice.
    """
    metrics: dict[str, float] = {}
    values: dict[str, np.ndarray] = {}
    origin = dict.fromkeys(ALWAYS, "the evaluator")
    for metric_fn in task.metric_fns:
        kind, name = metric_kind(metric_fn), metric_name(metric_fn)
        if kind not in outputs:
            continue
        try:
            computed, per_example = _compute(metric_fn, targets, outputs[kind])
        except Exception as error:
            reason = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
            raise UserError(f"Task '{task.name}': metric {name} failed: {reason}{error}") from error
        for key in computed:
            if key in origin:
                raise UserError(
                    f"Task '{task.name}': metric {name} gives '{key}', which {origin[key]} gives "
                    f"too; wrap the metric in a function that renames it."
                )
            origin[key] = name
        metrics |= computed
        values |= per_example
    return metrics, values


def _compute(
    metric_fn: MetricFn, targets: Sequence[Any], outputs: Sequence[Any]
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    function: Any = metric_fn
    options: dict[str, Any] = {}
    while isinstance(function, functools.partial):
        function, options = function.func, {**function.keywords, **options}
    if isinstance(function, MeanMetric):
        values = function.per_example(targets, outputs, **options)
        return function.summary(values), values
    result = metric_fn(targets, outputs)
    if not isinstance(result, Mapping):
        raise UserError(f"it returned {result!r} instead of {{name: value}}.")
    return {name: float(value) for name, value in result.items()}, {}
