"""Edit distance."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from t2t.evaluation.metrics.base import MeanMetric
from t2t.evaluation.metrics.libraries import load
from t2t.evaluation.resampling import Resampling, of_function


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

        def metric(drawn: list[int]) -> Mapping[str, float]:
            return self.summary({"mean_edit": distances[drawn]})

        return of_function(metric, range(len(distances)), seconds=0.0)


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
