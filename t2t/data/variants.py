"""Variants of registered tasks and mixtures: another vocabulary, less data, sentinels.

Each function registers the variant under a new name; the tasks inside a mixture become
`<new name>.<task>`.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from t2t.data.features import Feature, SequenceLength
from t2t.data.mixtures import Mixture, leaf_tasks
from t2t.data.preprocessors import CacheDatasetPlaceholder, append_eos_after_trim, tokenize
from t2t.data.registry import MixtureRegistry, TaskRegistry, get_mixture_or_task
from t2t.data.sources import Example, TruncatedDataSource
from t2t.data.tasks import Task
from t2t.data.vocabularies import Vocabulary
from t2t.errors import UserError

_SPLIT_MARKS = ("_train", "_dev", "_test", "_eval", ".")  # the first of these that a name has


def with_new_vocabulary(name: str, new_name: str, vocabulary: Vocabulary) -> Task | Mixture:
    """The same task or mixture with every feature in another vocabulary."""

    def change(task: Task) -> dict[str, Any]:
        features = {
            key: dataclasses.replace(feature, vocabulary=vocabulary)
            for key, feature in task.output_features.items()
        }
        return {"output_features": features}

    return _variant(get_mixture_or_task(name), new_name, change)


def with_truncated_data(name: str, new_name: str, split_sizes: Mapping[str, int]) -> Task | Mixture:
    """The same task or mixture with at most so many examples per split of each task."""

    def change(task: Task) -> dict[str, Any]:
        sizes = {split: n for split, n in split_sizes.items() if split in task.splits}
        return {"source": TruncatedDataSource(task.source, sizes)}

    return _variant(get_mixture_or_task(name), new_name, change)


def without_missing_splits(name: str, new_name: str, split: str) -> Mixture:
    """The mixture without the tasks that lack `split`, so that its rates are those drawn at.

    Raises:
      UserError: if no task has the split, or `name` is a task.
    """
    mixture = get_mixture_or_task(name)
    if not isinstance(mixture, Mixture):
        raise UserError(f"'{name}' is a task; only mixtures can leave tasks out.")

    def kept(part: Mixture) -> list[tuple[Task | Mixture, Any]]:
        there = [(p, r) for p, r in part.parts if any(split in t.splits for t in leaf_tasks(p))]
        return [
            (Mixture(f"{new_name}.{p.name}", kept(p)), r) if isinstance(p, Mixture) else (p, r)
            for p, r in there
        ]

    parts = kept(mixture)
    if not parts:
        raise UserError(f"No task of mixture '{name}' has a split '{split}'.")
    return MixtureRegistry.add(new_name, parts)


def with_sentinels(name: str, count: int = 1) -> Task:
    """`<name>_<count>_sentinel`: the first sentinels after the inputs and before the targets.

    As in span corruption, the targets then answer a sentinel, which helps models that were
    pretrained so. Inputs that are too long keep theirs; decoded predictions that begin with just
    these lose them before they are postprocessed.

    Raises:
      UserError: if `name` is no task, or a vocabulary has fewer sentinels.
    """
    task = get_mixture_or_task(name)
    if not isinstance(task, Task) or task.objective:
        raise UserError(f"'{name}' is no supervised task, so sentinels cannot be added to it.")
    for key in ("inputs", "targets"):
        feature = task.output_features.get(key)
        if feature is None or feature.vocabulary.extra_ids < count:
            raise UserError(f"Task '{name}': '{key}' needs a vocabulary with {count} extra_ids.")

    def add(
        example: Example,
        output_features: Mapping[str, Feature],
        sequence_length: SequenceLength | None,
    ) -> Example:
        sentinels = {
            key: (output_features[key].vocabulary.vocab_size - 1 - np.arange(count)).astype(
                np.int32
            )
            for key in ("inputs", "targets")
        }
        inputs = example["inputs"]
        if sequence_length is not None:
            room = sequence_length["inputs"] - count - output_features["inputs"].add_eos
            inputs = inputs[: max(room, 0)]
        return {
            **example,
            "inputs": np.concatenate([inputs, sentinels["inputs"]]),
            "targets": np.concatenate([sentinels["targets"], example["targets"]]),
        }

    def postprocess(decoded: str, *, example: Example, is_target: bool) -> Any:
        if decoded.startswith(answered):
            decoded = decoded.removeprefix(answered).strip()
        return task.postprocess(decoded, example, is_target=is_target)

    answered = " ".join(f"<extra_id_{k}>" for k in range(count))
    if task.preprocessors[-1:] == (append_eos_after_trim,):  # they tokenise
        chain = (*task.preprocessors[:-1], add, append_eos_after_trim)
    else:
        ended = (CacheDatasetPlaceholder(), add, append_eos_after_trim)
        chain = (*task.preprocessors, tokenize(), *ended)
    new_name = sentinel_name(name, count)
    variant = task.replace(name=new_name, preprocessors=chain, postprocess_fn=postprocess)
    return TaskRegistry.add_provider(new_name, variant)


def sentinel_name(name: str, count: int) -> str:
    """What `with_sentinels`, as SeqIO, calls a task: `a_1_sentinel`, `a_1_sentinel_train`."""
    place = next((name.find(mark) for mark in _SPLIT_MARKS if mark in name), len(name))
    return f"{name[:place]}_{count}_sentinel{name[place:]}"


def _variant(
    item: Task | Mixture, new_name: str, change: Callable[[Task], dict[str, Any]]
) -> Task | Mixture:
    made: dict[str, Task | Mixture] = {}

    def build(part: Task | Mixture, name: str) -> Task | Mixture:
        if part.name not in made:
            if isinstance(part, Task):
                task = part.replace(name=name, **change(part))
                made[part.name] = TaskRegistry.add_provider(name, task)
            else:
                parts = [(build(p, f"{new_name}.{p.name}"), rate) for p, rate in part.parts]
                made[part.name] = MixtureRegistry.add_provider(name, Mixture(name, parts))
        return made[part.name]

    return build(item, new_name)
