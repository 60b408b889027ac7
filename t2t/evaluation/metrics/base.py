"""Metrics that tell more than their value: what they are means of, or how to draw examples anew."""

import copy
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from t2t.data.metric_kinds import metric_name
from t2t.errors import UserError
from t2t.evaluation.resampling import Resampling, of_means

PerExample = Callable[..., Mapping[str, Any]]
Pairs = tuple[Sequence[Any], Sequence[Any]]
Firsts = Callable[[Sequence[Any]], Sequence[int]]
Resample = Callable[..., Resampling]


def len_range(targets: Sequence[Any]) -> range:
    """The numbers of all examples."""
    return range(len(targets))


class MeanMetric:
    """A metric `(targets, predictions) -> {name: mean}` that also gives what the mean is of.

    What is averaged are examples or groups of them, whichever are drawn anew for a confidence
    interval. Raises UserError without examples, or for unequally many targets and predictions.
    """

    def __init__(self, per_example: PerExample, firsts: Firsts = len_range):
        """Makes a metric.

        Args:
          per_example: of what it is a mean.
          firsts: from targets to the number of the first example of each group.
        """
        functools.update_wrapper(self, per_example)
        self._per_example, self.firsts = per_example, firsts

    def per_example(
        self, targets: Sequence[Any], predictions: Sequence[Any], *aux_values: Any, **options: Any
    ) -> dict[str, np.ndarray]:
        """Float64 `[examples]` (or `[groups]`) by name."""
        check_pairs(metric_name(self), targets, predictions)
        values = self._per_example(targets, predictions, *aux_values, **options)
        return {name: np.asarray(v, np.float64) for name, v in values.items()}

    def summary(self, values: Mapping[str, np.ndarray]) -> dict[str, float]:
        """The metric, from its values per example."""
        return {name: float(v.mean()) for name, v in values.items()}

    def resampling(self, values: Mapping[str, np.ndarray]) -> Resampling:
        """The metric of examples or groups drawn again, from its values per example."""
        return of_means(values)

    def __call__(
        self, targets: Sequence[Any], predictions: Sequence[Any], *aux_values: Any, **options: Any
    ) -> dict[str, float]:
        return self.summary(self.per_example(targets, predictions, *aux_values, **options))

    def after(
        self, transform: Callable[[Sequence[Any], Sequence[Any]], Pairs], firsts: Firsts
    ) -> "MeanMetric":
        """This metric of the targets and predictions that `transform` returns.

        Args:
          transform: of targets and predictions.
          firsts: the numbers of the examples that it returns.
        """
        transformed = copy.copy(self)
        transformed.firsts = firsts
        transformed._per_example = lambda targets, predictions, **options: self._per_example(
            *transform(targets, predictions), **options
        )
        return transformed


def mean_metric(per_example: PerExample) -> MeanMetric:
    """Makes a metric of a function `(targets, predictions) -> {name: value of each example}`."""
    return MeanMetric(per_example)


class CorpusMetric:
    """A metric that is no mean, but whose resampling is known: `(targets, predictions)` gives that.

    Its values are those of every unit drawn once.
    """

    def __init__(self, resampling: Resample):
        functools.update_wrapper(self, resampling)
        self.resampling = resampling

    def __call__(
        self, targets: Sequence[Any], predictions: Sequence[Any], *aux_values: Any, **options: Any
    ) -> dict[str, float]:
        return self.resampling(targets, predictions, *aux_values, **options).value()


def resampled_by(resampling: Resample) -> Callable[[Any], Any]:
    """Tells of a metric how it is resampled: a function of the same arguments.

    Without it, a metric is computed anew for each draw of its examples.
    """

    def decorate(metric_fn: Any) -> Any:
        metric_fn.resampling = resampling
        return metric_fn

    return decorate


def decoded_only(targets: Sequence[Any], predictions: Sequence[Any]) -> dict[str, float]:
    """No metric: for tasks whose predictions are wanted, but that need no targets."""
    return {}


def check_pairs(name: str, targets: Sequence[Any], predictions: Sequence[Any]) -> None:
    """Raises UserError unless there is one prediction for each target, and at least one."""
    if len(targets) != len(predictions):
        raise UserError(
            f"metric {name} was given {len(targets)} targets and {len(predictions)} predictions."
        )
    if not len(targets):
        raise UserError(f"metric {name} was given no examples.")
