"""Metrics of many steps, summed on the device and fetched only when they are logged."""

import collections
import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from t2t.training.schedules import Schedule
from t2t.training.step import Metrics

log = logging.getLogger(__name__)

_MOST_SHOWN = 3
IN_FLIGHT = 2
"""Steps that may wait for the devices; one computes, and the next is there when it is done."""


class LeftOut(NamedTuple):
    """A step whose update the guard left out."""

    step: int
    loss: float
    grad_norm: float
    in_a_row: int

    def __str__(self) -> str:
        return f"step {self.step} (loss {self.loss:.4g}, gradient norm {self.grad_norm:.4g})"


class Window(NamedTuple):
    """What is known of the steps since the last log line.

    Attributes:
      values: averages over the steps whose update was done, under their names in the log. What had
        no items in these steps, such as a task that was not drawn, has no mean there.
      left_out: the other steps.
      skipped: updates left out on the way from the start to here.
      steps: number of those that this process did; after an interruption some are an earlier one's.
      done: of these, the number whose update was done.
      target_tokens: of these, with a weight in the loss.
    """

    values: dict[str, float]
    left_out: list[LeftOut]
    skipped: int
    steps: int
    done: int
    target_tokens: float

    def warn(self) -> None:
        """Says which updates were left out, if any were."""
        if not self.left_out:
            return
        shown = ", ".join(map(str, self.left_out[:_MOST_SHOWN]))
        more = len(self.left_out) - _MOST_SHOWN
        log.warning(
            "updates left out, since loss or gradient were NaN or infinite or the loss peaked: "
            "%s%s", shown, f" and {more} more" if more > 0 else "",
        )  # fmt: skip


class StepLog:
    """Collects the metrics of steps until `flush`."""

    def __init__(
        self,
        task_names: Sequence[str],
        learning_rate: Schedule,
        unlogged: Sequence[Mapping[str, Any]] = (),
    ):
        """`unlogged`: what an earlier process that was interrupted had not logged yet."""
        self._task_names = task_names
        self._learning_rate = learning_rate
        self._in_flight: collections.deque[Metrics] = collections.deque()
        self.restart(unlogged)

    def restart(self, unlogged: Sequence[Mapping[str, Any]] = ()) -> None:
        """Forgets all steps but those."""
        self._in_flight.clear()
        self._metrics: list[dict[str, Any]] = [
            {name: np.array(values, dtype) for name, (dtype, values) in metrics.items()}
            for metrics in unlogged
        ]
        self._earlier = len(self._metrics)

    def add(self, metrics: Metrics) -> None:
        """Takes what the train step returned; waits until no more than `IN_FLIGHT` are to come.

        So the loop knows of steps when they are done, and has no more batches on the devices than
        it needs; the devices never wait for it.
        """
        self._metrics.append(metrics)
        self._in_flight.append(metrics)
        if len(self._in_flight) > IN_FLIGHT:
            jax.block_until_ready(self._in_flight.popleft())

    def unlogged(self) -> list[dict[str, Any]]:
        """The metrics since the last flush, as JSON, to go on from after an interruption."""
        return [
            {name: [np.dtype(value.dtype).str, value.tolist()] for name, value in metrics.items()}
            for metrics in jax.device_get(self._metrics)
        ]

    def flush(self, step: int) -> Window:
        """Of all steps since the last flush, `step` the last of them."""
        fetched = jax.device_get(self._metrics)
        ours = fetched[self._earlier :]
        self.restart()
        first = step - len(fetched) + 1
        left_out = [
            LeftOut(first + i, _mean_loss(m), float(m["grad_norm"]), int(m["in_a_row"]))
            for i, m in enumerate(fetched)
            if _is_left_out(m)
        ]
        return Window(
            self._averages(step, [m for m in fetched if not _is_left_out(m)]),
            left_out,
            int(fetched[-1].get("skipped", 0)),
            len(ours),
            sum(not _is_left_out(m) for m in ours),
            float(sum(m["tokens"].sum() for m in ours)),
        )

    def _averages(self, step: int, done: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        if not done:
            return {}
        loss = np.sum([m["loss"] for m in done], axis=0)
        tokens = np.sum([m["tokens"] for m in done], axis=0)
        values = {}
        if tokens.any():
            values["train/loss"] = loss.sum() / tokens.sum()
            values["train/token_accuracy"] = sum(m["correct"] for m in done) / tokens.sum()
        last = done[-1]
        updates = step - int(last.get("skipped", 0))  # what the optimiser counts
        values["train/learning_rate"] = self._learning_rate(updates - 1)
        values |= {f"train/{k}": v for k, v in last.items() if k.split("/")[0].endswith("_norm")}
        values |= {f"train/{name}": value for name, value in _other_terms(done).items()}
        for task, task_loss, task_tokens in zip(self._task_names, loss, tokens, strict=True):
            values[f"train/{task}/target_tokens"] = task_tokens
            if task_tokens:
                values[f"train/{task}/loss"] = task_loss / task_tokens
        return {name: float(value) for name, value in values.items()}


def _is_left_out(metrics: Mapping[str, Any]) -> bool:
    return bool(metrics.get("in_a_row", 0))  # steps of before there was a guard were all done


def _mean_loss(metrics: Mapping[str, Any]) -> float:
    return float(metrics["loss"].sum() / max(metrics["tokens"].sum(), 1))


def _other_terms(done: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Means "<term>/loss" ... over the steps, of terms beside the main one that had any items."""
    terms = [name.removesuffix("/weight") for name in done[0] if name.endswith("/weight")]
    names = [name for name in done[0] if name.split("/")[0] in terms]
    sums = {name: sum(m[name] for m in done) for name in names}
    means: dict[str, float] = {}
    for name, value in sums.items():
        term, what = name.split("/")
        weight = sums[f"{term}/weight"]
        if what != "weight" and weight:
            means[name] = float(value / weight)
    return means
