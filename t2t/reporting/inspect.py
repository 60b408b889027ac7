"""Examples of a task or mixture at every stage: raw, text pair, tokens."""

from collections.abc import Iterator

import numpy as np

from t2t.data import randomness
from t2t.data.features import SequenceLength
from t2t.data.mixtures import Mixture, leaf_tasks, mixing_rates
from t2t.data.registry import MixtureRegistry, TaskRegistry
from t2t.data.tasks import Task


def describe_all() -> Iterator[str]:
    """A line per registered task and mixture."""
    for name in TaskRegistry.names():
        yield f"task     {name}  ({TaskRegistry.defined_at(name)})"
    for name in MixtureRegistry.names():
        yield f"mixture  {name}  ({MixtureRegistry.defined_at(name)})"


def describe(
    task_or_mixture: Task | Mixture,
    split: str,
    sequence_length: SequenceLength,
    count: int,
    seed: int = 0,
) -> Iterator[str]:
    """Lines that show `count` examples of each leaf task, and what the model is fed."""
    rates = mixing_rates(task_or_mixture)
    for task in leaf_tasks(task_or_mixture):
        yield f"=== {task.name}  ({rates[task.name]:.1%} of {task_or_mixture.name})"
        yield from _describe_task(task, split, sequence_length, count, seed)


def _describe_task(
    task: Task, split: str, sequence_length: SequenceLength, count: int, seed: int
) -> Iterator[str]:
    rows = task.rows(split, sequence_length)
    raw = task.raw_examples(split)
    yield f"splits: {', '.join(task.splits)}"
    yield f"{split}: {len(raw):,} raw examples, {len(rows):,} rows"
    generator = np.random.default_rng(seed)
    for index in sorted(generator.permutation(len(rows))[:count].tolist()):
        yield f"--- row {index:,}"
        key = randomness.fold(seed, task.name, index)
        if task.objective is None:
            for name, value in raw[index].items():
                yield f"raw     {name}: {_short(value)}"
            text = rows.text(index, key)
            yield f"text    inputs: {_short(text['inputs'])}"
            yield f"text    targets: {_short(text['targets'])}"
        example = rows.tokens([index], np.array([key], np.uint64))[0]
        for name, tokens in example.items():
            vocabulary = task.output_features[name].vocabulary
            more = " …" if len(tokens) > 24 else ""
            yield f"tokens  {name} [{len(tokens)}]: {tokens[:24].tolist()}{more}"
            yield f"        {name} read back: {vocabulary.readable(tokens)!r}"


def _short(value: object, limit: int = 300) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"
