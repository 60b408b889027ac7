"""Fewer points that look the same."""

import itertools
from typing import NamedTuple

import numpy as np

from t2t.reporting.run_report.log_reader import Series


class Thinned(NamedTuple):
    """A series to draw.

    Attributes:
      points: its own, or the lowest and highest of each stretch of steps.
      means: of the stretches, at their middles; None if these are all points.
    """

    points: Series
    means: Series | None


def thin(series: Series, most: int) -> Thinned:
    """At most `most` points: the first, the last, and the extremes of stretches between.

    What is not finite counts as a point only where all of a stretch is.
    """
    steps, values = series
    if len(steps) <= most:
        return Thinned(series, None)
    edges = np.linspace(0, len(steps), max(most // 2 - 1, 1) + 1).astype(int)
    chosen, middles, means = [0], [], []
    for first, last in itertools.pairwise(edges):
        part = values[first:last]
        finite = np.flatnonzero(np.isfinite(part))
        if not len(finite):
            chosen.append(int(first))
            continue
        low, high = finite[part[finite].argmin()], finite[part[finite].argmax()]
        chosen += sorted({int(first + low), int(first + high)})
        middles.append(steps[(first + last - 1) // 2])
        means.append(part[finite].mean())
    index = np.unique([*chosen, len(steps) - 1])
    return Thinned(Series(steps[index], values[index]), Series(np.array(middles), np.array(means)))
