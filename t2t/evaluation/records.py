"""What is told of each example of an evaluation, as JSON has it.

    {"number": 7, "idx": 12, "inputs": "...", "targets": "yes", "prediction": "no",
     "prediction_score": -0.21, "target_value": 1, "prediction_value": 0, "score": -1.6,
     "tokens": 2, "correct": 1, "metrics": {"accuracy": 0.0}}

`number` counts the examples of the set. `score` is the log-likelihood of the target, of `tokens`
tokens, of which `correct` would have been predicted right given those before. Values are what the
postprocessor made of the texts, if it did, and JSON holds them. `metrics` are the values that a
metric is the mean of; those of groups stand with the first of each group.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from t2t.data.sources import Example
from t2t.decoding.prediction import Prediction
from t2t.evaluation.task_metrics import PerExample

SHOWN = ("inputs", "pair", "targets")
_IDS = ("idx", "id")

Record = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class _NoJson:
    """Stands for what JSON does not hold."""


_NO_JSON = _NoJson()


def of_text(text: Example, prediction: Prediction | None, *, labelled: bool) -> Record:
    """What is known of one example where it was read.

    Args:
      text: the example, "inputs" and "targets" as text.
      prediction: if there is one.
      labelled: whether its targets mean anything.
    """
    ids = {name: as_json(x) for name, x in text.items() if name.split("/")[0] in _IDS}
    record = {name: x for name, x in ids.items() if x is not _NO_JSON}
    record |= {n: text[n] for n in SHOWN if n in text and (labelled or n != "targets")}
    if prediction is not None:
        record["prediction"] = prediction.text
        if math.isfinite(prediction.score):
            record["prediction_score"] = round(prediction.score, 6)
    return record


def completed(
    records: Sequence[Record],
    sums: Mapping[str, np.ndarray],
    values: Mapping[str, Sequence[Any]],
    metrics: Mapping[str, PerExample],
) -> tuple[Record, ...]:
    """The records of all examples, in order, with what was found later.

    Args:
      records: of `of_text`; empty ones where there is no text.
      sums: what `make_eval_step` returns, float64 `[examples]`, empty if they were not scored.
      values: "target_value" and "prediction_value", an element per example.
      metrics: by name.
    """
    found = [{"number": number, **record} for number, record in enumerate(records)]
    for name, column in values.items():
        for record, value in zip(found, map(as_json, column), strict=True):
            if value is not _NO_JSON:
                record[name] = value
    if sums:
        rows = zip(sums["loss"].tolist(), sums["tokens"], sums["correct"], strict=True)
        for record, (loss, tokens, correct) in zip(found, rows, strict=True):
            record |= {"score": round(-loss, 6), "tokens": int(tokens), "correct": int(correct)}
    for name, (per_unit, firsts) in metrics.items():
        for number, value in zip(firsts, per_unit.tolist(), strict=True):
            found[number].setdefault("metrics", {})[name] = value
    return tuple(found)


def as_json(value: Any) -> Any:
    """Arrays, numbers of NumPy, tuples and mappings as JSON has them; else `_NO_JSON`."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Mapping):
        items = {str(key): as_json(each) for key, each in value.items()}
        return _NO_JSON if _NO_JSON in items.values() else items
    if isinstance(value, list | tuple):
        elements = [as_json(each) for each in value]
        return _NO_JSON if _NO_JSON in elements else elements
    return _NO_JSON
