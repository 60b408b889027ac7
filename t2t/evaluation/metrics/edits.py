"""Edit distance."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from t2t.evaluation.metrics.base import MeanMetric
from t2t.evaluation.metrics.libraries import load
from t2t.evaluation.resampling import Resampling, Values


class _EditDistance(MeanMetric):
    def summary(self, values: Mapping[str, np.ndarray]) -> dict[str, float]:
        distances = values["mean_edit"]
        return {
            "min_edit": float(distances.min()),
            "max_edit": float(distances.max()),
            "mean_edit": float(distances.mean()),
            "median_edit": float(np.median(distances)),
            "sum_edit": float(distances.sum()),
        }

    def resampling(self, values: Mapping[str, np.ndarray]) -> Resampling:
        distances = values["mean_edit"]
        order = np.argsort(distances)

        def compute(counts: np.ndarray) -> Values:
            drawn = np.cumsum(counts[:, order], axis=1)
            last = drawn[:, -1:] - 1

            def ranked(rank: Any) -> np.ndarray:
                """The distance of this rank, from 0, in each draw."""
                return distances[order][(drawn > rank).argmax(axis=1)]

            return {
                "min_edit": ranked(0),
                "max_edit": ranked(last),
                "mean_edit": counts @ distances / counts.sum(axis=1),
                "median_edit": (ranked(last // 2) + ranked((last + 1) // 2)) / 2,
                "sum_edit": counts @ distances,
            }

        return Resampling(len(distances), compute)


@_EditDistance
def edit_distance(
    targets: Sequence[str], predictions: Sequence[str], lower: bool = True
) -> Mapping[str, Any]:
    """Words to insert, delete or replace (Levenshtein 1966): "mean_edit" and four more of them.

    Words are what each single character other than letters, digits and `_` separates, and so may be
    empty: "Hi, you" has three. They are in lower case if `lower`.
    """
    distance = load("rapidfuzz.distance").Levenshtein.distance

    def words(text: str) -> list[str]:
        return re.split(r"\W", text.lower() if lower else text)

    pairs = zip(targets, predictions, strict=True)
    return {"mean_edit": [distance(words(target), words(text)) for target, text in pairs]}
