"""Bootstrap confidence intervals by the percentile method (Efron and Tibshirani 1993, chapter 13).

Examples are drawn with replacement, a target always with its own prediction (for metrics of a whole
corpus see Koehn 2004, "Statistical significance tests for machine translation evaluation").
Intervals hold what the choice of test examples does to a metric, not what another training seed
would. Their width at a score of exactly 0 or 1 is zero, however few the examples.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from t2t.errors import UserError
from t2t.evaluation.resampling import Resampling, draws, of_function, of_means, resample


@dataclasses.dataclass(frozen=True)
class Interval:
    """From `low` to `high` at confidence `level`; both NaN where the metric is undefined."""

    low: float
    high: float
    level: float = 0.95

    def __str__(self) -> str:
        return f"[{self.low:.3f}, {self.high:.3f}]"


def bootstrap_interval(
    values: Sequence[float] | np.ndarray,
    seed: int,
    *,
    weights: Sequence[float] | np.ndarray | None = None,
    level: float = 0.95,
    samples: int = 1000,
) -> Interval:
    """The interval of a mean.

    Args:
      values: `[examples]`.
      seed: equal seeds give equal intervals.
      weights: `[examples]`, for the mean sum(weights * values) / sum(weights), such as a loss per
        token of examples of many tokens; None for equal ones.
      level: share of intervals that hold the true mean.
      samples: how often the examples are drawn again.

    Raises:
      UserError: if there are no values, or the arguments are out of range.
    """
    values = np.asarray(values, np.float64)
    _check(len(values), level, samples)
    return _percentiles(
        resampled_means(values, np.random.default_rng(seed), samples, weights), level
    )


def resampled_means(
    values: np.ndarray,
    rng: np.random.Generator,
    samples: int,
    weights: Sequence[float] | np.ndarray | None = None,
) -> np.ndarray:
    """Float64 `[samples]`: the mean of each new draw of `values`, `[examples]`."""
    weights = None if weights is None else np.asarray(weights, np.float64)
    means = of_means({"": values}, weights)
    parts = [means.compute(counts)[""] for counts in draws(len(values), samples, rng)]
    return np.concatenate(parts)


def intervals(metrics: Sequence[Resampling], seed: int, level: float = 0.95) -> dict[str, Interval]:
    """The interval of each value of each metric for which there are enough draws, by name."""
    affordable = [metric for metric in metrics if metric.samples != 0]
    found = resample(affordable, seed)
    return {name: _percentiles(v, level) for values in found for name, v in values.items()}


def bootstrap_metric(
    metric_fn: Callable[[Sequence[Any], Sequence[Any]], Mapping[str, float]],
    targets: Sequence[Any],
    predictions: Sequence[Any],
    seed: int,
    *,
    level: float = 0.95,
    samples: int = 1000,
) -> dict[str, Interval]:
    """The interval of each value of any metric, by computing it anew on pairs drawn again.

    Costs `samples` times the metric; a mean over examples has the quicker `bootstrap_interval`.
    Draws on which a value is NaN, such as a correlation of one pair drawn n times, do not count.

    Raises:
      UserError: if there are no examples, as many targets as predictions, or arguments in range.
    """
    if len(targets) != len(predictions):
        raise UserError(f"{len(targets)} targets for {len(predictions)} predictions.")
    _check(len(targets), level, samples)

    def metric(drawn: list[int]) -> Mapping[str, float]:
        return metric_fn([targets[i] for i in drawn], [predictions[i] for i in drawn])

    resampling = of_function(metric, range(len(targets)), seconds=0.0)
    return intervals([dataclasses.replace(resampling, samples=samples)], seed, level)


def _percentiles(values: np.ndarray, level: float) -> Interval:
    defined = values[~np.isnan(values)]
    if not len(defined):
        return Interval(math.nan, math.nan, level)
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level)


def _check(count: int, level: float, samples: int) -> None:
    if not count:
        raise UserError("there is no interval without examples.")
    if not 0 < level < 1 or samples < 1:
        raise UserError(
            f"an interval needs a level between 0 and 1 and at least one sample, got level {level} "
            f"and {samples} samples."
        )
