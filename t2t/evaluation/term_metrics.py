"""Metrics of what the loss is a sum of."""

from collections.abc import Mapping

import numpy as np

from t2t.evaluation.resampling import Resampling, of_means


def term_metrics(sums: Mapping[str, np.ndarray]) -> tuple[dict[str, float], list[Resampling]]:
    """Means over all items.

    Args:
      sums: what `make_eval_step` returns, float64 `[examples]`.

    Returns:
      "loss" and "token_accuracy" of the main term, "<term>_loss", "<term>_accuracy" ... of the
      others; nothing of those without items. And how they are resampled, by examples.
    """
    metrics, resamplings = {}, []
    for name, (values, weights) in _means(sums).items():
        metrics[name] = float(values.sum() / weights.sum())
        resamplings.append(of_means({name: values / np.where(weights, weights, 1)}, weights))
    return metrics, resamplings


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
