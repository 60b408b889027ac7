"""All metrics of one task, from what the model gave for its examples."""

import functools
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from t2t.data.metric_kinds import MetricFn, MetricKind, metric_kind, metric_name
from t2t.data.tasks import Task
from t2t.errors import UserError
from t2t.evaluation.metrics.base import CorpusMetric, MeanMetric, check_pairs
from t2t.evaluation.resampling import Resampling, of_function, timed

ALWAYS = ("loss", "token_accuracy", "invalid_predictions")
"""Names of what the evaluator itself gives."""

BUDGET = 0.5
"""Seconds for the interval of a metric that has to be computed anew for each draw."""

Outputs = Mapping[MetricKind, Sequence[Any]]
"""By kind of metric, what it is given beside the targets, an element per example.

Of "predict_with_aux" pairs of a prediction and its values: `("yes", {"scores": -0.5})`.
"""


class PerExample(NamedTuple):
    """What a metric is the mean of.

    Attributes:
      values: float64 `[examples]`, or `[groups]`.
      firsts: the number of the example that each belongs to, the first of its group.
    """

    values: np.ndarray
    firsts: Sequence[int]


class TaskMetrics(NamedTuple):
    """The metrics of a task.

    Attributes:
      metrics: by name.
      values: of those that are means, by name.
      resamplings: of all that can be computed for examples that are drawn anew.
    """

    metrics: dict[str, float]
    values: dict[str, PerExample]
    resamplings: list[Resampling]


def metric_kinds(task: Task) -> frozenset[MetricKind]:
    """Of the task's metrics; raises UserError if one takes what evaluation does not have."""
    with task.named_errors():
        return frozenset(metric_kind(metric_fn) for metric_fn in task.metric_fns)


def task_metrics(
    task: Task, targets: Sequence[Any], outputs: Outputs, *, budget: float = BUDGET
) -> TaskMetrics:
    """Runs the task's metrics of the kinds that `outputs` has.

    Args:
      task: with the metrics.
      targets: after its postprocessor.
      outputs: likewise.
      budget: seconds for the resampling of a metric of which is known no quick one.

    Raises:
      UserError: naming task and metric, if one fails or a name is given twice.
    """
    found = TaskMetrics({}, {}, [])
    origin = dict.fromkeys(ALWAYS, "the evaluator")
    for metric_fn in task.metric_fns:
        kind, name = metric_kind(metric_fn), metric_name(metric_fn)
        if kind not in outputs:
            continue
        try:
            computed = _compute(metric_fn, kind, targets, outputs[kind], budget)
        except Exception as error:
            reason = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
            raise UserError(f"Task '{task.name}': metric {name} failed: {reason}{error}") from error
        for key in computed.metrics:
            if key in origin:
                raise UserError(
                    f"Task '{task.name}': metric {name} gives '{key}', which {origin[key]} gives "
                    f"too; wrap the metric in a function that renames it."
                )
            origin[key] = name
        found.metrics.update(computed.metrics)
        found.values.update(computed.values)
        found.resamplings.extend(computed.resamplings)
    return found


def _compute(
    metric_fn: MetricFn,
    kind: MetricKind,
    targets: Sequence[Any],
    outputs: Sequence[Any],
    budget: float,
) -> TaskMetrics:
    check_pairs(metric_name(metric_fn), targets, outputs)
    arguments = _arguments(kind, outputs)
    function: Any = metric_fn
    options: dict[str, Any] = {}
    while isinstance(function, functools.partial):
        function, options = function.func, {**function.keywords, **options}
    if isinstance(function, MeanMetric):
        values = function.per_example(targets, *arguments, **options)
        firsts = function.firsts(targets)
        return TaskMetrics(
            function.summary(values),
            {name: PerExample(v, firsts) for name, v in values.items()},
            [function.resampling(values)],
        )
    if isinstance(function, CorpusMetric):
        resampling = function.resampling(targets, *arguments, **options)
        return TaskMetrics(resampling.value(), {}, [resampling])
    groups = groups_of(targets)

    def metric(examples: Sequence[int]) -> dict[str, float]:
        some = [targets[i] for i in examples]
        if groups:
            some = _apart(some, examples)
        result = metric_fn(some, *_arguments(kind, [outputs[i] for i in examples]))
        if not isinstance(result, Mapping):
            raise UserError(f"it returned {result!r} instead of {{name: value}}.")
        return {name: float(value) for name, value in result.items()}

    metrics, seconds = timed(lambda: metric(range(len(targets))))
    if hasattr(function, "resampling"):
        resampling = function.resampling(targets, *arguments, **options)
    else:
        resampling = of_function(metric, groups or range(len(targets)), seconds, budget)
    return TaskMetrics(metrics, {}, [resampling])


def _arguments(kind: MetricKind, outputs: Sequence[Any]) -> tuple[Any, ...]:
    """What a metric is given beside the targets."""
    if kind != "predict_with_aux":
        return (outputs,)
    values = {name: [aux[name] for _, aux in outputs] for name in outputs[0][1]}
    return [prediction for prediction, _ in outputs], values


def groups_of(targets: Sequence[Any]) -> list[Hashable]:
    """What each example is drawn together with, if targets have a "group"; else empty."""
    if all(isinstance(target, Mapping) and "group" in target for target in targets):
        return [target["group"] for target in targets]
    return []


def _apart(targets: Sequence[Any], examples: Sequence[int]) -> list[Any]:
    """With other groups for examples that are drawn again: then these count again, too."""
    before = np.arange(len(examples)) - np.searchsorted(examples, examples)
    return [
        {**target, "group": (target["group"], again)} if again else target
        for target, again in zip(targets, before.tolist(), strict=True)
    ]
