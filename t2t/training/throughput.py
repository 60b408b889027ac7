"""Metrics of many steps, summed on the device and fetched only when they are logged."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from t2t.errors import UserError
from t2t.training.schedules import Schedule
from t2t.training.step import Metrics


class StepLog:
    """Collects the metrics of steps, and time, until `flush`."""

    def __init__(
        self,
        task_names: Sequence[str],
        learning_rate: Schedule,
        unlogged: Sequence[Mapping[str, Any]] = (),
    ):
        """`unlogged`: what an earlier process that was interrupted had not logged yet."""
        self._task_names = task_names
        self._learning_rate = learning_rate
        self._metrics: list[Metrics] = [
            {name: np.array(values, dtype) for name, (dtype, values) in metrics.items()}
            for metrics in unlogged
        ]
        self._untimed = len(self._metrics)
        self._started = time.perf_counter()

    def add(self, metrics: Metrics) -> None:
        """Takes what the train step returned; does not wait for it."""
        self._metrics.append(metrics)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Leaves out the time spent inside from tokens per second."""
        # What was dispatched before belongs to training.
        jax.block_until_ready(self._metrics)
        before = time.perf_counter()
        try:
            yield
        finally:
            self._started += time.perf_counter() - before

    def unlogged(self, step: int, where: Path) -> list[dict[str, Any]]:
        """The metrics since the last flush, as JSON, to go on from after an interruption.

        Raises:
          UserError: as `flush`.
        """
        return [
            {name: [np.dtype(value.dtype).str, value.tolist()] for name, value in metrics.items()}
            for metrics in self._fetch(step, where)
        ]

    def flush(self, step: int, where: Path) -> dict[str, float]:
        """Averages over the steps since the last flush, under their names in the log.

        What had no items in these steps, such as a task that was not drawn, has no mean there.

        Raises:
          UserError: if the loss or the gradient of one of the steps is not a finite number.
        """
        fetched = self._fetch(step, where)
        now = time.perf_counter()
        seconds, self._started = now - self._started, now
        self._metrics = []
        timed = fetched[self._untimed :]
        self._untimed = 0
        loss = np.sum([m["loss"] for m in fetched], axis=0)
        tokens = np.sum([m["tokens"] for m in fetched], axis=0)
        values = {}
        if tokens.any():
            values["train/loss"] = loss.sum() / tokens.sum()
            values["train/token_accuracy"] = sum(m["correct"] for m in fetched) / tokens.sum()
        values |= {
            "train/learning_rate": self._learning_rate(step - 1),
            "train/target_tokens_per_second": sum(m["tokens"].sum() for m in timed) / seconds,
            "train/steps_per_second": len(timed) / seconds,
            **{f"train/{k}": fetched[-1][k] for k in ("grad_norm", "update_norm", "param_norm")},
        }
        values |= {f"train/{name}": value for name, value in _other_terms(fetched).items()}
        for task, task_loss, task_tokens in zip(self._task_names, loss, tokens, strict=True):
            values[f"train/{task}/target_tokens"] = task_tokens
            if task_tokens:
                values[f"train/{task}/loss"] = task_loss / task_tokens
        return {name: float(value) for name, value in values.items()}

    def _fetch(self, step: int, where: Path) -> list[Metrics]:
        fetched = jax.device_get(self._metrics)
        first = step - len(fetched) + 1
        for offset, metrics in enumerate(fetched):
            if not (np.isfinite(metrics["loss"]).all() and np.isfinite(metrics["grad_norm"])):
                raise UserError(
                    f"The loss or gradient became NaN or infinite at step {first + offset} (loss "
                    f"{metrics['loss'].sum() / max(metrics['tokens'].sum(), 1)}, gradient norm "
                    f"{metrics['grad_norm']}). Training stopped; '{where}' keeps the checkpoints "
                    f"before it. A lower learning rate, a longer warm-up or clip_norm usually help."
                )
        return fetched


def _other_terms(fetched: Sequence[Metrics]) -> dict[str, float]:
    """Means "<term>/loss" ... over the steps, of terms beside the main one that had any items."""
    terms = [name.removesuffix("/weight") for name in fetched[0] if name.endswith("/weight")]
    names = [name for name in fetched[0] if name.split("/")[0] in terms]
    sums = {name: sum(m[name] for m in fetched) for name in names}
    means: dict[str, float] = {}
    for name, value in sums.items():
        term, what = name.split("/")
        weight = sums[f"{term}/weight"]
        if what != "weight" and weight:
            means[name] = float(value / weight)
    return means
