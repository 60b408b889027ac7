"""Metrics of what the loss is a sum of."""

from collections.abc import Mapping

import numpy as np

from t2t.evaluation.confidence import Interval, bootstrap_interval


def term_metrics(
    sums: Mapping[str, np.ndarray], seed: int
) -> tuple[dict[str, float], dict[str, Interval]]:
    """Means over all items, and 95% confidence intervals, of examples that are drawn again.

    Args:
      sums: what `make_eval_step` returns, float64 `[examples]`.
      seed: of the intervals.

    Returns:
      "loss" and "token_accuracy" of the main term, "<term>_loss", "<term>_accuracy" ... of the
      others; nothing of those without items.
    """
    metrics, intervals = {}, {}
    for name, (values, weights) in _means(sums).items():
        metrics[name] = float(values.sum() / weights.sum())
        means = values / np.maximum(weights, 1)
        intervals[name] = bootstrap_interval(means, seed, weights=weights)
    return metrics, intervals


def _means(sums: Mapping[str, np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By metric, what to sum and what to divide it by."""
    tokens, means = sums["tokens"], {}
    if tokens.any():
        means = {"loss": (sums["loss"], tokens), "token_accuracy": (sums["correct"], tokens)}
    for name, values in sums.items():
        term, _, what = name.partition("/")
        if what not in ("", "weight") and sums[f"{term}/weight"].any():
            means[f"{term}_{what}"] = (values, sums[f"{term}/weight"])
    return means
