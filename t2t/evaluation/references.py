"""What the model's answers to one task's examples are compared with."""

import functools
import logging
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from t2t.data.evaluation_set import EvaluationSet
from t2t.data.preprocessors.glue import NO_LABEL
from t2t.data.sources import Example
from t2t.data.tasks import Task
from t2t.evaluation.metrics.base import decoded_only
from t2t.evaluation.task_metrics import groups_of
from t2t.training.host_rows import HostRows

log = logging.getLogger(__name__)

_ABSENT = ("", NO_LABEL, "-1.0")
"""What is written for an unknown target; "-1.0" for the score of STS-B's test set."""


class References:
    """Texts and targets of an evaluation set, made once.

    Args:
      examples: of a task without an objective; each process has its share.
      hosts: what brings the shares together.

    Attributes:
      examples: as given.
    """

    def __init__(self, examples: EvaluationSet, hosts: HostRows):
        self.examples, self._hosts = examples, hosts

    @functools.cached_property
    def texts(self) -> list[Example]:
        """The examples of this share, "inputs" and "targets" as text."""
        task = self.examples.task
        return [_as_texts(example, task) for example in self.examples.texts()]

    @functools.cached_property
    def are_labelled(self) -> bool:
        """Whether any example has a known target; in a test set without labels none has."""
        found = any(self.of_all([not _is_unknown(text) for text in self.texts]))
        if not found and self.examples.task.metric_fns != (decoded_only,):
            log.warning(
                "task '%s': no example of the split '%s' has a target, so there are no metrics",
                self.examples.task.name,
                self.examples.split,
            )
        return found

    @functools.cached_property
    def targets(self) -> list[Any]:
        """Of all shares, postprocessed; postprocessors find "targets_length", in tokens, too."""
        task, tokens = self.examples.task, self.examples.examples
        with task.named_errors():
            own = [
                task.postprocess(
                    text["targets"], {**text, "targets_length": len(t["targets"])}, is_target=True
                )
                for text, t in zip(self.texts, tokens, strict=True)
            ]
        found = self.of_all(own)
        self._warn_of_parts(groups_of(found))
        return found

    def _warn_of_parts(self, groups: Sequence[Hashable]) -> None:
        """Says so if some examples of groups, such as a question's answers, are left out."""
        examples = self.examples
        is_part = len(examples.indices) < len(examples.rows)
        spread = {*zip(groups, examples.row_numbers, strict=False)}
        if is_part and len(spread) > len({*groups}):  # not each group is made of one row
            log.warning(
                "task '%s' has metrics of groups of examples, but only %d of %d examples are "
                "evaluated, so that groups are incomplete and these metrics too high or low; "
                "num_examples = None (`--num_examples=all`) evaluates all",
                examples.task.name,
                len(examples.indices),
                len(examples.rows),
            )

    def postprocessed(self, predictions: Sequence[str]) -> list[Any]:
        """The values of all shares' predictions, of those of this share."""
        task = self.examples.task
        with task.named_errors():
            own = [
                task.postprocess(prediction, example, is_target=False)
                for prediction, example in zip(predictions, self.texts, strict=True)
            ]
        return self.of_all(own)

    def of_all(self, items: Sequence[Any]) -> list[Any]:
        """What the processes have for their examples, in order, on all of them."""
        return self._hosts.in_order(self.examples.numbers, items)


def _as_texts(example: Example, task: Task) -> Example:
    """The example with "inputs" and "targets" as text, also where preprocessing left tokens."""
    texts = {}
    for name in ("inputs", "targets"):
        value = example.get(f"{name}_pretokenized", example.get(name, ""))
        if not isinstance(value, str):
            value = task.output_features[name].vocabulary.decode(value)
        texts[name] = value
    return {**example, **texts}


def _is_unknown(text: Mapping[str, Any]) -> bool:
    if "is_correct" in text:  # a class to be scored, of which the example has a right one or none
        return not text["is_correct"]
    label = text.get("label")
    return (isinstance(label, int | np.integer) and label == -1) or text["targets"] in _ABSENT


def invalid_predictions(targets: Sequence[Any], predictions: Sequence[Any]) -> dict[str, float]:
    """The percentage of -1, which is no class, among predictions, as "invalid_predictions".

    Both may be in mappings, as {"value": 1}. Nothing if targets are no numbers of classes.
    """
    classes = [_class_number(target) for target in targets]
    if any(number is None or number < 0 for number in classes):
        return {}
    share = float(np.mean([_class_number(prediction) == -1 for prediction in predictions]))
    return {"invalid_predictions": 100.0 * share}


def _class_number(value: Any) -> int | None:
    value = value.get("value") if isinstance(value, Mapping) else value
    is_number = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return int(value) if is_number else None
