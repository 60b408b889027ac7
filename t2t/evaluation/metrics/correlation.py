"""Correlations of numbers, from -100 to 100; NaN where they are undefined."""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from t2t.evaluation.metrics.base import check_pairs, resampled_by
from t2t.evaluation.metrics.libraries import load
from t2t.evaluation.resampling import Resampling, Values, ratio


def _pearson(targets: Sequence[float], predictions: Sequence[float]) -> Resampling:
    pairs = np.array([targets, predictions], np.float64)
    with np.errstate(invalid="ignore"):  # of infinite numbers
        centred = (pairs - pairs.mean(axis=1, keepdims=True)).T
    return Resampling(
        len(centred), lambda counts: {"pearson_corrcoef": _correlations(counts, *centred.T)}
    )


def _spearman(targets: Sequence[float], predictions: Sequence[float]) -> Resampling:
    def compute(counts: np.ndarray) -> Values:
        ranks = (_ranks(counts, np.asarray(x, np.float64)) for x in (targets, predictions))
        return {"spearman_corrcoef": _correlations(counts, *ranks)}

    return Resampling(len(targets), compute)


def _ranks(counts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """`[draws, examples]`: the rank of each value in each draw, of equal ones their mean."""
    if not np.isfinite(values).all():
        return np.full_like(counts, math.nan)
    _, inverse, sizes = np.unique(values, return_inverse=True, return_counts=True)
    starts = np.cumsum(sizes) - sizes
    drawn = np.add.reduceat(counts[:, np.argsort(inverse, kind="stable")], starts, axis=1)
    return (np.cumsum(drawn, axis=1) - drawn / 2)[:, inverse]


def _correlations(counts: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """`[draws]`, in percent, of numbers `[examples]` or `[draws, examples]`."""
    n = counts.sum(axis=1)
    means = [(counts * a).sum(axis=1) / n for a in (x, y)]
    dx, dy = ((np.atleast_2d(a) - m[:, None]) for a, m in zip((x, y), means, strict=True))
    spreads = [(counts * d * d).sum(axis=1) for d in (dx, dy)]
    constant = np.zeros(len(counts), bool)
    for values, spread in zip((x, y), spreads, strict=True):
        constant |= spread <= 1e-24 * n * (values**2).max()  # what rounding leaves of it
    covariance = (counts * dx * dy).sum(axis=1)
    return 100.0 * ratio(covariance, np.where(constant, 0.0, np.sqrt(spreads[0] * spreads[1])))


@resampled_by(_pearson)
def pearson_corrcoef(targets: Sequence[float], predictions: Sequence[float]) -> dict[str, float]:
    """Linear correlation; NaN for fewer than two pairs, constant numbers, or any that is NaN."""
    return {"pearson_corrcoef": _percent("pearson_corrcoef", "pearsonr", targets, predictions)}


@resampled_by(_spearman)
def spearman_corrcoef(targets: Sequence[float], predictions: Sequence[float]) -> dict[str, float]:
    """Correlation of ranks; NaN where Pearson's is."""
    return {"spearman_corrcoef": _percent("spearman_corrcoef", "spearmanr", targets, predictions)}


def _percent(
    name: str, function: str, targets: Sequence[float], predictions: Sequence[float]
) -> float:
    check_pairs(name, targets, predictions)
    pairs = np.array([targets, predictions], np.float64)
    if len(targets) < 2 or not np.isfinite(pairs).all() or (np.ptp(pairs, axis=1) == 0).any():
        return math.nan
    correlation: Callable[..., Any] = getattr(load("scipy.stats"), function)
    with warnings.catch_warnings():  # about nearly constant numbers
        warnings.simplefilter("ignore", RuntimeWarning)
        return 100.0 * float(correlation(*pairs).statistic)
