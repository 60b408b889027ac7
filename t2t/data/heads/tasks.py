"""Tasks that end in rows for a head."""

import dataclasses

from t2t.data.features import Feature
from t2t.data.heads.base import HeadRows
from t2t.data.mixtures import Mixture
from t2t.data.preprocessors import CacheDatasetPlaceholder
from t2t.data.tasks import Task
from t2t.data.vocabularies import PassThroughVocabulary
from t2t.errors import UserError


def with_rows(task_or_mixture: Task | Mixture, rows: HeadRows | None) -> Task | Mixture:
    """The same task, or mixture of such tasks, with `rows`, if any, as its last preprocessor.

    Raises:
      UserError: if a task has an objective, or a cache of tokens: rows are made of text.
    """
    if rows is None:
        return task_or_mixture
    made: dict[str, Task] = {}

    def changed(part: Task | Mixture) -> Task | Mixture:
        if isinstance(part, Mixture):
            parts = [(changed(inner), rate) for inner, rate in part.parts]
            return dataclasses.replace(part, parts=parts)
        if part.name not in made:  # one task may be in several mixtures
            made[part.name] = _task(part, rows)
        return made[part.name]

    return changed(task_or_mixture)


def _task(task: Task, rows: HeadRows) -> Task:
    if task.objective is not None:
        raise UserError(
            f"Task '{task.name}' has the objective {type(task.objective).__name__}, which makes "
            f"its own targets; a head is trained on labels."
        )
    if any(isinstance(p, CacheDatasetPlaceholder) for p in task.preprocessors):
        raise UserError(
            f"Task '{task.name}' has a CacheDatasetPlaceholder, after which texts are tokens, but "
            f"rows for a head are made of text; leave it out (task.replace(preprocessors=...))."
        )
    inputs, targets = task.output_features["inputs"], task.output_features["targets"]
    ends = targets.add_eos and targets.vocabulary.eos_id is not None
    numbers = Feature(PassThroughVocabulary(0), add_eos=False, required=False)
    return task.replace(
        preprocessors=(*task.preprocessors, rows),
        output_features={
            "inputs": inputs,
            "targets": dataclasses.replace(targets, add_eos=ends, required=False),
            **dict.fromkeys(rows.made, numbers),
        },
    )
