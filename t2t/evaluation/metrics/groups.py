"""Metrics of examples that belong together: the sentences about one question, say.

Targets are {group_key: group, value_key: value}, predictions {value_key: value}, as the
postprocessors `multirc` and `record` give them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from t2t.evaluation.metrics.base import Firsts, MeanMetric, Pairs, resampled_by
from t2t.evaluation.metrics.classification import (
    f1_score_with_invalid,
    f1_statistics,
    f1_summary,
)
from t2t.evaluation.resampling import Resampling, of_sums, sums_by_group

Metric = Callable[[Sequence[Any], Sequence[Any]], Mapping[str, float]]
Records = Sequence[Mapping[str, Any]]


def mean_group_metric(
    metric_fn: Metric,
    group_key: str = "group",
    value_key: str = "value",
    return_subgroup_scores: bool = False,
) -> MeanMetric | Metric:
    """Makes the mean over groups of the metric of each group.

    With `return_subgroup_scores` also "<group>-<name>" for each group, without intervals.
    """

    def by_group(targets: Records, predictions: Records) -> dict[Any, Mapping[str, float]]:
        groups: dict[Any, tuple[list, list]] = {}
        for target, prediction in zip(targets, predictions, strict=True):
            members = groups.setdefault(target[group_key], ([], []))
            members[0].append(target[value_key])
            members[1].append(prediction[value_key])
        return {group: metric_fn(*members) for group, members in groups.items()}

    def per_group(targets: Records, predictions: Records) -> dict[str, list[float]]:
        values: dict[str, list[float]] = {}
        for scores in by_group(targets, predictions).values():
            for name, value in scores.items():
                values.setdefault(name, []).append(value)
        return values

    per_group.__qualname__ = "mean_group_metric"
    mean = MeanMetric(per_group, _firsts(group_key))
    if not return_subgroup_scores:
        return mean

    def with_subgroups(targets: Records, predictions: Records) -> dict[str, float]:
        groups = by_group(targets, predictions).items()
        each = {f"{group}-{name}": value for group, s in groups for name, value in s.items()}
        return mean(targets, predictions) | each

    def resampling(targets: Records, predictions: Records) -> Resampling:
        return mean.resampling(mean.per_example(targets, predictions))

    return resampled_by(resampling)(with_subgroups)


def deduplicate_metric(
    metric_fn: Metric, group_key: str = "group", value_key: str = "value"
) -> Metric:
    """Makes a metric of the first example of each group alone.

    For data with one example per answer, all of one question having the same list of answers.
    """

    def firsts(targets: Records, predictions: Records) -> Pairs:
        first: dict[Any, tuple[Any, Any]] = {}
        for target, prediction in zip(targets, predictions, strict=True):
            first.setdefault(target[group_key], (target[value_key], prediction[value_key]))
        return [t for t, _ in first.values()], [p for _, p in first.values()]

    if isinstance(metric_fn, MeanMetric):
        return metric_fn.after(firsts, _firsts(group_key))

    def deduplicated(targets: Records, predictions: Records) -> Mapping[str, float]:
        return metric_fn(*firsts(targets, predictions))

    known = getattr(metric_fn, "resampling", None)
    if known is None:
        return deduplicated
    return resampled_by(lambda *pairs: known(*firsts(*pairs)))(deduplicated)


def _firsts(group_key: str) -> Firsts:
    def firsts(targets: Records) -> list[int]:
        first: dict[Any, int] = {}
        for number, target in enumerate(targets):
            first.setdefault(target[group_key], number)
        return list(first.values())

    return firsts


def _f1_by_question(targets: Records, predictions: Records) -> Resampling:
    statistics = f1_statistics(*_values(targets, predictions))
    return of_sums(sums_by_group(statistics, [t["group"] for t in targets]), f1_summary)


def _values(targets: Records, predictions: Records) -> Pairs:
    return [t["value"] for t in targets], [p["value"] for p in predictions]


@resampled_by(_f1_by_question)
def multirc_f1_over_all_answers(targets: Records, predictions: Records) -> dict[str, float]:
    """F1 in percent over all answers of all questions (Khashabi et al. 2018, "F1a")."""
    return f1_score_with_invalid(*_values(targets, predictions))
