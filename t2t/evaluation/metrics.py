"""Metric functions: `(targets, predictions) -> {name: value}`, values in [0, 1]. No JAX here."""

from collections.abc import Sequence
from typing import Any


def exact_match(targets: Sequence[Any], predictions: Sequence[Any]) -> dict[str, float]:
    """Share of predictions equal to their target."""
    equal = sum(t == p for t, p in zip(targets, predictions, strict=True))
    return {"exact_match": equal / max(len(targets), 1)}
