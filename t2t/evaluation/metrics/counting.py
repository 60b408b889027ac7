"""Metrics of predicted classes as functions of counts, for many draws of the examples at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from t2t.evaluation.resampling import Values, ratio


def margins(
    targets: Sequence[Any] | np.ndarray,
    predictions: Sequence[Any] | np.ndarray,
    classes: Sequence[Any],
    weights: Sequence[float] | None = None,
) -> np.ndarray:
    """Float64 `[examples, 3 * classes]`: whether right, a target, and a prediction of each class.

    Sums over examples are the diagonal of the confusion matrix, and its margins.
    """
    number = {name: i for i, name in enumerate(classes)}
    true, predicted = (
        np.array([number.get(x, -1) for x in np.asarray(each).tolist()], int)[:, None]
        == np.arange(len(number))
        for each in (targets, predictions)
    )
    found = np.concatenate([true & predicted, true, predicted], axis=1).astype(np.float64)
    return found if weights is None else found * np.asarray(weights, np.float64)[:, None]


def f1_values(sums: np.ndarray) -> np.ndarray:
    """`[draws, classes]` of sums of `margins`, from 0 to 1; 0 where a class does not occur."""
    right, true, predicted = np.split(sums, 3, axis=1)
    return ratio(2 * right, true + predicted, undefined=0.0)


def matthews_values(sums: np.ndarray) -> np.ndarray:
    """`[draws]`: Matthews' correlation of all classes (Gorodkin 2004); 0 if there is one."""
    right, true, predicted = np.split(sums, 3, axis=1)
    total = true.sum(axis=1)
    covariance = right.sum(axis=1) * total - (true * predicted).sum(axis=1)
    spreads = [total**2 - (each**2).sum(axis=1) for each in (true, predicted)]
    return ratio(covariance, np.sqrt(spreads[0] * spreads[1]), undefined=0.0)


def area_values(
    counts: np.ndarray,
    classes: np.ndarray,
    scores: Sequence[float] | np.ndarray,
    weights: Sequence[float] | None = None,
) -> Values:
    """Areas under the ROC and precision-recall curves, each `[draws]`, of how often each is drawn.

    Args:
      counts: `[draws, examples]`.
      classes: `[examples]`, 0 or 1.
      scores: `[examples]`; the higher, the more probably 1.
      weights: `[examples]`.
    """
    weighted = counts if weights is None else counts * np.asarray(weights, np.float64)
    _, inverse, sizes = np.unique(-np.asarray(scores), return_inverse=True, return_counts=True)
    order, starts = np.argsort(inverse, kind="stable"), np.cumsum(sizes) - sizes
    right, wrong = (
        np.add.reduceat((weighted * (classes == value))[:, order], starts, axis=1)
        for value in (1, 0)
    )  # at each score, the highest first
    found, false = np.cumsum(right, axis=1), np.cumsum(wrong, axis=1)
    positives, negatives = found[:, -1:], false[:, -1:]
    roc = (wrong * (found - right / 2)).sum(axis=1)
    precision = ratio(found, found + false, undefined=0.0)
    both = positives[:, 0] * negatives[:, 0]
    precise = ratio((right * precision).sum(axis=1), positives[:, 0])
    return {"auc-roc": ratio(roc, both), "auc-pr": np.where(both == 0, np.nan, precise)}
