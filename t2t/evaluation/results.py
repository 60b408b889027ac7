"""What an evaluation found."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from t2t.evaluation.benchmarks import benchmark_averages
from t2t.evaluation.confidence import Interval


@dataclasses.dataclass(frozen=True)
class TaskResult:
    """What one task scored.

    Attributes:
      num_examples: rows evaluated.
      metrics: "loss" (nats per target token) and "token_accuracy" of the loss's main term,
        "<term>_loss" and "<term>_accuracy" of others, each if it has any items; the task's own
        metrics; and "invalid_predictions" in percent where targets are numbers of classes.
      baselines: "unigram_loss", and the task's own metrics for its trivial rule, if it has one.
      records: per example, as JSON has it; see `t2t.evaluation.records`.
      intervals: 95% confidence intervals of the metrics.
    """

    num_examples: int
    metrics: Mapping[str, float]
    baselines: Mapping[str, float]
    records: tuple[Mapping[str, Any], ...] = ()
    intervals: Mapping[str, Interval] = dataclasses.field(default_factory=dict)

    @property
    def predictions(self) -> tuple[Mapping[str, Any], ...]:
        """The records that have a prediction: all or none."""
        return tuple(record for record in self.records if "prediction" in record)


_LOWER_IS_BETTER = ("loss", "_edit", "error_rate", "perplexity", "invalid_predictions")


def lower_is_better(metric: str) -> bool:
    """Told by the name, such as "glue_rte_v002/loss"."""
    return metric.endswith(_LOWER_IS_BETTER)


def flat_metrics(results: Mapping[str, TaskResult]) -> dict[str, float]:
    """`{"<task>/<metric>": value}`, averages over benchmarks that are complete, and "loss".

    "loss" is the mean over tasks that have one; the averages are "glue_average" and
    "super_glue_average".
    """
    flat = {f"{task}/{k}": v for task, r in results.items() for k, v in r.metrics.items()}
    losses = [r.metrics["loss"] for r in results.values() if "loss" in r.metrics]
    return flat | benchmark_averages(flat) | ({"loss": float(np.mean(losses))} if losses else {})
