"""Metrics of predicted classes, by scikit-learn."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from t2t.errors import UserError, did_you_mean
from t2t.evaluation.metrics.base import check_pairs, resampled_by
from t2t.evaluation.metrics.counting import area_values, f1_values, margins, matthews_values
from t2t.evaluation.metrics.libraries import load
from t2t.evaluation.resampling import Resampling, Values, of_sums

Metric = Callable[[Sequence[Any], Sequence[Any]], dict[str, float]]


def sklearn_metrics_wrapper(
    metric_str: str,
    metric_dict_str: str | None = None,
    metric_post_process_fn: Callable[[Any], Any] | None = None,
    **metric_fn_kwargs: Any,
) -> Metric:
    """Makes a metric of `sklearn.metrics.<metric_str>(targets, predictions, **metric_fn_kwargs)`.

    Args:
      metric_str: name of the function.
      metric_dict_str: name of the result; None for the same.
      metric_post_process_fn: applied to the result; None for none.
      **metric_fn_kwargs: for the function.
    """
    name = metric_dict_str or metric_str

    def metric(targets: Sequence[Any], predictions: Sequence[Any]) -> dict[str, float]:
        check_pairs(name, targets, predictions)
        value = _sklearn(metric_str, targets, predictions, **metric_fn_kwargs)
        return {name: metric_post_process_fn(value) if metric_post_process_fn else value}

    metric.__qualname__ = name
    return metric


def _matthews(targets: Sequence[int], predictions: Sequence[int]) -> Resampling:
    statistics = margins(targets, predictions, sorted({*targets, *predictions}))

    def summary(sums: np.ndarray) -> Values:
        return {"matthews_corrcoef": 100.0 * matthews_values(sums)}

    return of_sums(statistics, summary)


@resampled_by(_matthews)
def matthews_corrcoef(targets: Sequence[int], predictions: Sequence[int]) -> dict[str, float]:
    """Matthews' correlation of classes, from -100 to 100; 0 if either has but one class."""
    check_pairs("matthews_corrcoef", targets, predictions)
    return {"matthews_corrcoef": 100.0 * _sklearn("matthews_corrcoef", targets, predictions)}


def f1_statistics(
    targets: Sequence[int],
    predictions: Sequence[int],
    sample_weight: Sequence[float] | None = None,
) -> np.ndarray:
    """Float64 `[examples, 6]`, of which `f1_score_with_invalid` is a function of the sums."""
    true, predicted = _valid(targets, predictions)
    return margins(true, predicted, (0, 1), sample_weight)


def f1_summary(sums: np.ndarray) -> Values:
    """The F1 of class 1 in percent, of sums of `f1_statistics`."""
    return {"f1": 100.0 * f1_values(sums)[:, 1]}


def _f1(targets: Sequence[int], predictions: Sequence[int], sample_weight: Any = None) -> Any:
    return of_sums(f1_statistics(targets, predictions, sample_weight), f1_summary)


@resampled_by(_f1)
def f1_score_with_invalid(
    targets: Sequence[int],
    predictions: Sequence[int],
    sample_weight: Sequence[float] | None = None,
) -> dict[str, float]:
    """F1 of class 1 in percent; a prediction other than 0 and 1 counts as the wrong one of them."""
    check_pairs("f1_score_with_invalid", targets, predictions)
    true, predicted = _valid(targets, predictions)
    f1 = _sklearn("f1_score", true, predicted, zero_division=0.0, sample_weight=sample_weight)
    return {"f1": 100.0 * f1}


def _valid(targets: Sequence[int], predictions: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    true, predicted = np.asarray(targets), np.asarray(predictions)
    valid = (predicted == 0) | (predicted == 1)
    return true, np.where(valid, predicted, 1 - true)


def mean_multiclass_f1(num_classes: int, **metric_fn_kwargs: Any) -> Metric:
    """Makes the metric "mean_<num_classes>class_f1": the classes' mean F1 in percent."""
    name = f"mean_{num_classes}class_f1"

    def resampling(targets: Sequence[int], predictions: Sequence[int]) -> Resampling:
        weights = metric_fn_kwargs.get("sample_weight")
        statistics = margins(targets, predictions, range(num_classes), weights)
        return of_sums(statistics, lambda sums: {name: 100.0 * f1_values(sums).mean(axis=1)})

    metric = sklearn_metrics_wrapper(
        "f1_score",
        metric_dict_str=name,
        metric_post_process_fn=lambda value: 100.0 * value,
        **{
            "labels": list(range(num_classes)),
            "average": "macro",
            "zero_division": 0.0,
            **metric_fn_kwargs,
        },
    )
    return (
        metric if metric_fn_kwargs.keys() - {"sample_weight"} else resampled_by(resampling)(metric)
    )


def _auc(
    targets: Sequence[float],
    predictions: Sequence[float],
    targets_threshold: float | None = None,
    sample_weight: Sequence[float] | None = None,
) -> Resampling:
    classes = _classes(targets, targets_threshold)
    return Resampling(
        len(classes), lambda counts: area_values(counts, classes, predictions, sample_weight)
    )


@resampled_by(_auc)
def auc(
    targets: Sequence[float],
    predictions: Sequence[float],
    targets_threshold: float | None = None,
    sample_weight: Sequence[float] | None = None,
) -> dict[str, float]:
    """Areas under the ROC and precision-recall curves, from 0 to 1: "auc-roc", "auc-pr".

    Both are NaN unless targets of both classes are there.

    Args:
      targets: 0 or 1, or numbers to compare with `targets_threshold`.
      predictions: the higher, the more probably 1.
      targets_threshold: targets from here on are 1; None if they are classes already.
      sample_weight: of each example; None for equal ones.

    Raises:
      UserError: if a prediction is NaN or infinite.
    """
    check_pairs("auc", targets, predictions)
    classes = _classes(targets, targets_threshold)
    if not np.isfinite(np.asarray(predictions, np.float64)).all():
        raise UserError("metric auc was given predictions that are not finite numbers.")
    if len(np.unique(classes)) < 2:
        return {"auc-roc": math.nan, "auc-pr": math.nan}
    arguments: Mapping[str, Any] = {"sample_weight": sample_weight}
    return {
        "auc-roc": _sklearn("roc_auc_score", classes, predictions, **arguments),
        "auc-pr": _sklearn("average_precision_score", classes, predictions, **arguments),
    }


def _classes(targets: Sequence[float], threshold: float | None) -> np.ndarray:
    classes = np.asarray(targets)
    return classes if threshold is None else (classes >= threshold).astype(np.int32)


def _score_auc(
    targets: Sequence[float], scores: Sequence[float], targets_threshold: float | None = None
) -> Resampling:
    return _auc(targets, scores, targets_threshold)


@resampled_by(_score_auc)
def score_auc(
    targets: Sequence[float], scores: Sequence[float], targets_threshold: float | None = None
) -> dict[str, float]:
    """`auc` of the targets' log-likelihoods."""
    return auc(targets, scores, targets_threshold)


def _sklearn(name: str, targets: Any, predictions: Any, **options: Any) -> Any:
    library = load("sklearn.metrics")
    if not hasattr(library, name):
        raise UserError(
            f"sklearn.metrics does not have: {name}.{did_you_mean(name, library.__all__)}"
        )
    with warnings.catch_warnings():  # what is undefined is 0, as documented above
        warnings.simplefilter("ignore")
        value = getattr(library, name)(targets, predictions, **options)
    return float(value) if np.ndim(value) == 0 else value
