"""Metrics of examples that are drawn again (the bootstrap), many draws at once.

A draw is told by how often each unit is in it: an example, or a group of them, such as the answers
to one question. Most metrics are functions of sums over units, which a product of matrices gives
for all draws; whatever else a metric is, it can be computed anew for each.
"""

import dataclasses
import math
import sys
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

SAMPLES = (1000, 300, 100)
"""How many draws there are: the first, or as many as are affordable."""

_ELEMENTS = 2**20  # drawn at a time, so that memory stays at some 8 MB an array

Values = Mapping[str, np.ndarray]
"""A metric's values by name, float64 `[draws]`."""


@dataclasses.dataclass(frozen=True)
class Resampling:
    """One metric of some examples.

    Attributes:
      units: how many there are to draw.
      compute: from float64 `[draws, units]`, how often each is drawn, to the values; NaN where they
        are undefined.
      samples: how many draws are affordable, 0 if not enough for an interval; None for any number.
    """

    units: int
    compute: Callable[[np.ndarray], Values]
    samples: int | None = None

    def value(self) -> dict[str, float]:
        """Of every unit once: the metric itself."""
        found = self.compute(np.ones((1, self.units)))
        return {name: float(values[0]) for name, values in found.items()}


def of_sums(statistics: np.ndarray, summary: Callable[[np.ndarray], Values]) -> Resampling:
    """A function of sums over units.

    Args:
      statistics: float64 `[units, k]`.
      summary: from sums, float64 `[draws, k]`, to the values.
    """
    return Resampling(len(statistics), lambda counts: summary(counts @ statistics))


def of_means(values: Values, weights: np.ndarray | None = None) -> Resampling:
    """Means of values, float64 `[units]` by name, with equal weights or these, `[units]`."""
    names, columns = list(values), np.array(list(values.values()), np.float64).T
    weights = np.ones(len(columns)) if weights is None else np.asarray(weights, np.float64)
    columns = columns * weights[:, None]

    def compute(counts: np.ndarray) -> Values:
        means = ratio(counts @ columns, (counts @ weights)[:, None])
        return {name: means[:, i] for i, name in enumerate(names)}

    return Resampling(len(weights), compute)


def of_function(
    metric: Callable[[list[int]], Mapping[str, float]],
    groups: Sequence[Hashable],
    seconds: float,
    budget: float = math.inf,
) -> Resampling:
    """Any metric, computed anew for each draw.

    Args:
      metric: of the examples with these numbers, some several times. Draws on which it fails, such
        as those without a class, are undefined.
      groups: for each example, what it is drawn together with.
      seconds: that one computation takes.
      budget: seconds for all of them.
    """
    numbers = group_numbers(groups)
    examples = np.arange(len(numbers))

    def compute(counts: np.ndarray) -> Values:
        rows: list[Mapping[str, float]] = []
        for row in counts.astype(int):
            try:
                rows.append(metric(np.repeat(examples, row[numbers]).tolist()))
            except Exception:  # of whatever kind a metric's are
                rows.append({})
        names = dict.fromkeys(name for row in rows for name in row)
        return {n: np.array([float(row.get(n, math.nan)) for row in rows]) for n in names}

    affordable = (samples for samples in SAMPLES if samples * seconds <= budget)
    return Resampling(int(numbers.max()) + 1, compute, next(affordable, 0))


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What it returns, and the seconds that it takes once it has loaded its libraries."""
    loaded, start = len(sys.modules), time.perf_counter()
    found, seconds = call(), time.perf_counter() - start
    return (found, seconds) if len(sys.modules) == loaded else timed(call)


def group_numbers(groups: Sequence[Hashable]) -> np.ndarray:
    """Int `[examples]`: the groups, numbered as they first occur."""
    number: dict[Hashable, int] = {}
    return np.array([number.setdefault(group, len(number)) for group in groups], int)


def sums_by_group(statistics: np.ndarray, groups: Sequence[Hashable]) -> np.ndarray:
    """Float64 `[groups, k]` of `[examples, k]`."""
    numbers = group_numbers(groups)
    sums = np.zeros((numbers.max() + 1, statistics.shape[1]))
    np.add.at(sums, numbers, statistics)
    return sums


def ratio(numerator: np.ndarray, denominator: np.ndarray, undefined: float = math.nan) -> Any:
    """The quotient; `undefined` where the denominator is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(denominator == 0, undefined, numerator / denominator)


def draws(units: int, samples: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Float64 `[some, units]` several times: how often each unit is in each of `samples` draws."""
    rows = max(1, _ELEMENTS // units)
    for start in range(0, samples, rows):
        count = min(rows, samples - start)
        drawn = rng.integers(units, size=(count, units), dtype=np.int32)
        places = drawn + units * np.arange(count)[:, None]
        found = np.bincount(places.ravel(), minlength=count * units)
        yield found.reshape(count, units).astype(np.float64)


def resample(metrics: Sequence[Resampling], seed: int) -> list[dict[str, np.ndarray]]:
    """The values of each metric on its draws, `[samples]` by name.

    Draws of equally many units are the same for all metrics: those of two models differ by the
    models alone.
    """
    found: list[dict[str, np.ndarray]] = [{} for _ in metrics]
    sizes = [(m.units, SAMPLES[0] if m.samples is None else m.samples) for m in metrics]
    for units, samples in dict.fromkeys(sizes):
        alike = [i for i, size in enumerate(sizes) if size == (units, samples)]
        start = 0
        for counts in draws(units, samples, np.random.default_rng(seed)):
            for i in alike:
                for name, values in metrics[i].compute(counts).items():
                    every = found[i].setdefault(name, np.full(samples, math.nan))
                    every[start : start + len(counts)] = values
            start += len(counts)
    return found
