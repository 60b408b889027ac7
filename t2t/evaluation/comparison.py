"""Whether one of two models is better, by the paired bootstrap (Koehn 2004, section 4).

Both were evaluated on the same examples. These are drawn again, each with what both models made of
it, so that easy and difficult examples count alike for both, and much smaller differences show than
two separate intervals would tell.
"""

import dataclasses
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from t2t.data.metric_kinds import MetricKind
from t2t.data.tasks import Task
from t2t.errors import UserError
from t2t.evaluation.confidence import Interval
from t2t.evaluation.resampling import Resampling, of_means, resample
from t2t.evaluation.results import lower_is_better
from t2t.evaluation.task_metrics import task_metrics

log = logging.getLogger(__name__)

SAMPLES = 10_000
_SEED = 0
_SECONDS = 10.0  # for a metric that has to be computed anew for each draw

Records = Sequence[Mapping[str, Any]]


@dataclasses.dataclass(frozen=True)
class Difference:
    """Of one metric of two models.

    Attributes:
      metric: its name.
      first: its value of the first model.
      second: of the second.
      interval: of `second - first`, at 95%.
      better: share of the draws in which the second is better, those without difference by half.
      p_value: twice the share of draws on the far side of no difference, at most 1: how surprising
        the difference would be between equally good models.
      wins: examples (or groups) on which the second is better; None if the metric has no value of
        each.
      losses: on which it is worse.
      ties: on which both are alike.
    """

    metric: str
    first: float
    second: float
    interval: Interval
    better: float
    p_value: float
    wins: int | None = None
    losses: int | None = None
    ties: int | None = None


def compare_records(
    first: Records, second: Records, task: Task | None = None, samples: int = SAMPLES
) -> list[Difference]:
    """The differences of all metrics of one task.

    Args:
      first: records of the same examples in the same order; see `check_alike`.
      second: likewise.
      task: computes the metrics that are no means over examples; None to leave them out.
      samples: draws.
    """
    pairs = {
        **_of_scores(first, second, samples),
        **_of_means(first, second, samples),
    }
    values = dict(pairs)
    for name, pair in _of_task(task, first, second, samples).items() if task else ():
        values.setdefault(name, pair)
    flat = [each for pair in values.values() for each in pair[:2]]
    draws = iter(resample(flat, _SEED))
    found = []
    for name, (one, other, per_unit) in values.items():
        changes = -next(draws)[name] + next(draws)[name]
        found.append(_difference(name, one.value()[name], other.value()[name], changes, per_unit))
    return found


_Pair = tuple[Resampling, Resampling, np.ndarray | None]
"""A metric of both models, and by how much it differs on each unit, if that is known."""


def _difference(
    name: str, first: float, second: float, changes: np.ndarray, per_unit: np.ndarray | None
) -> Difference:
    changes = changes[~np.isnan(changes)]
    sign = -1.0 if lower_is_better(name) else 1.0
    if not len(changes):
        return Difference(name, first, second, Interval(math.nan, math.nan), math.nan, math.nan)
    low, high = np.quantile(changes, [0.025, 0.975])
    gains = sign * changes
    better = float(np.mean(gains > 0) + np.mean(gains == 0) / 2)
    tail = min(np.mean(gains >= 0), np.mean(gains <= 0))
    p_value = min(1.0, 2 * max(float(tail), 1 / len(changes)))
    counts: list[int | None] = [None] * 3
    if per_unit is not None:
        units = sign * per_unit
        counts = [int(np.sum(units > 0)), int(np.sum(units < 0)), int(np.sum(units == 0))]
    interval = Interval(float(low), float(high))
    return Difference(name, first, second, interval, better, p_value, *counts)


def _of_scores(first: Records, second: Records, samples: int) -> dict[str, _Pair]:
    """Loss and accuracy per token, of models with the same tokens."""
    if not all("tokens" in record for record in (*first, *second)):
        return {}
    if any(one["tokens"] != other["tokens"] for one, other in zip(first, second, strict=True)):
        log.warning("loss and token_accuracy are not compared: the models count tokens differently")
        return {}
    found: dict[str, _Pair] = {}
    for name, key, sign in (("loss", "score", -1.0), ("token_accuracy", "correct", 1.0)):
        sides, means = [], []
        for records in (first, second):
            tokens = np.array([record["tokens"] for record in records], np.float64)
            if not tokens.any():
                return found
            mean = sign * np.array([r[key] for r in records], np.float64) / np.maximum(tokens, 1)
            means.append(mean)
            sides.append(dataclasses.replace(of_means({name: mean}, tokens), samples=samples))
        found[name] = sides[0], sides[1], means[1] - means[0]
    return found


def _of_means(first: Records, second: Records, samples: int) -> dict[str, _Pair]:
    names = dict.fromkeys(name for record in first for name in record.get("metrics", {}))
    found: dict[str, _Pair] = {}
    for name in names:
        values = [
            np.array([r["metrics"][name] for r in records if name in r.get("metrics", {})], float)
            for records in (first, second)
        ]
        if len(values[0]) == len(values[1]):
            sides = [dataclasses.replace(of_means({name: v}), samples=samples) for v in values]
            found[name] = sides[0], sides[1], values[1] - values[0]
    return found


def _of_task(task: Task, first: Records, second: Records, samples: int) -> dict[str, _Pair]:
    """By the task's own metrics, computed anew, with as many draws as are affordable."""
    if task.postprocess_fn and not all("target_value" in r for r in (*first, *second)):
        log.warning("only means are compared: the files do not hold what '%s' compares", task.name)
        return {}
    outputs = [_outputs(records) for records in (first, second)]
    targets = [_hashable(record.get("target_value", record.get("targets"))) for record in first]
    sides: list[dict[str, Resampling]] = []
    for each in outputs:
        try:
            computed = task_metrics(task, targets, each, budget=_SECONDS)
        except UserError as error:
            log.warning("only means are compared: %s", error)
            return {}
        sides.append({name: r for r in computed.resamplings for name in r.value()})
    found: dict[str, _Pair] = {}
    for name in sides[0].keys() & sides[1].keys():
        one, other = sides[0][name], sides[1][name]
        most = min(samples if r.samples is None else min(samples, r.samples) for r in (one, other))
        if most and one.units == other.units:
            pair = [dataclasses.replace(each, samples=most) for each in (one, other)]
            found[name] = pair[0], pair[1], None
    return found


def _outputs(records: Records) -> dict[MetricKind, Sequence[Any]]:
    found: dict[MetricKind, Sequence[Any]] = {}
    if all("prediction" in record for record in records):
        answers = [_hashable(r.get("prediction_value", r["prediction"])) for r in records]
        scores = [record.get("prediction_score", -math.inf) for record in records]
        found["predict"] = answers
        found["predict_with_aux"] = [
            (answer, {"scores": score}) for answer, score in zip(answers, scores, strict=True)
        ]
    if all("score" in record for record in records):
        found["score"] = [record["score"] for record in records]
    return found


def _hashable(value: Any) -> Any:
    """With tuples instead of lists, as groups may be."""
    if isinstance(value, list):
        return tuple(map(_hashable, value))
    if isinstance(value, dict):
        return {name: _hashable(each) for name, each in value.items()}
    return value


def differing(first: Records, second: Records) -> str:
    """How the examples differ; "" if they are the same."""
    if len(first) != len(second):
        return f"{len(first):,} examples and {len(second):,}"
    for one, other in zip(first, second, strict=True):
        for name in ("idx", "id", "inputs", "pair", "targets"):
            if one.get(name) != other.get(name):
                return (
                    f"'{name}' of example {one['number']} is {_short(one.get(name))} and "
                    f"{_short(other.get(name))}"
                )
    return ""


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
