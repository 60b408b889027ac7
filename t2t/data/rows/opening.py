"""Which kind of rows a task has: from its cache, in memory, or block by block."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from t2t.data.cache.directories import cache_dirs, find_cache, requires_caching, why_not_found
from t2t.data.coverage import check_coverage, warn_once
from t2t.data.features import SequenceLength
from t2t.data.preprocessors import Chain
from t2t.data.rows.base import Rows, read
from t2t.data.rows.examples import CachedRows, ExampleRows
from t2t.data.rows.segments import BlockRows, SegmentRows, read_documents
from t2t.data.sources import Example
from t2t.data.tasks import Task
from t2t.errors import UserError

log = logging.getLogger(__name__)

IN_MEMORY_BYTES = 64 << 20
"""A corpus of at most this much text is tokenised into memory at the start."""

_BLOCK_BYTES = 64 << 10
_SAMPLE = 64


def open_rows(
    task: Task, split: str, sequence_length: SequenceLength, use_cached: bool = True
) -> Rows:
    """Opens one split of a task for drawing.

    Reads the task's cache if there is one (see `t2t.data.cache`), and then never its raw data.
    Otherwise a corpus under an objective is tokenised into memory if it is small, and block by
    block if it is large.

    Raises:
      UserError: if a length is missing, if the split is missing or empty, if its cache is damaged
        or made otherwise, or if the task requires one and there is none.
    """
    for name, feature in task.output_features.items():
        if feature.required and not _positive(sequence_length.get(name)):
            raise UserError(
                f"Task '{task.name}': the sequence length of feature '{name}' is "
                f"{sequence_length.get(name, 'missing')}; it must be 1 or more."
            )
    if use_cached and (rows := _cached_rows(task, split, sequence_length)):
        return rows
    raw = task.raw_examples(split)
    if not len(raw):
        raise UserError(f"Task '{task.name}': split '{split}' has no examples.")
    sample = _sample(task, raw, sequence_length)
    for name in task.text_features:
        texts = [example[name] for example in sample if isinstance(example[name], str)]
        vocabulary = task.output_features[name].vocabulary
        with task.named_errors():
            report = check_coverage(vocabulary, texts, f"task '{task.name}', feature '{name}'")
        warn_once(report)
    if task.objective is None:
        return ExampleRows(task, sequence_length, raw)
    average = max(sum(len(str(e["targets"]).encode()) for e in sample) / _SAMPLE, 1.0)
    if average * len(raw) <= IN_MEMORY_BYTES:
        return SegmentRows(task, sequence_length, read_documents(task, raw, range(len(raw))))
    return BlockRows(task, sequence_length, raw, max(1, round(_BLOCK_BYTES / average)))


def _cached_rows(task: Task, split: str, sequence_length: SequenceLength) -> Rows | None:
    cached = find_cache(task, split)
    if cached is None:
        if requires_caching(task):
            raise UserError(
                f"Task '{task.name}' is to be read from a cache only. {why_not_found(task, split)}"
            )
        if cache_dirs():
            reason = why_not_found(task, split)
            log.warning("task '%s' reads the raw data of '%s'. %s", task.name, split, reason)
        return None
    log.info("task '%s' reads '%s' from %s", task.name, split, cached.directory)
    if not len(cached):
        raise UserError(f"Task '{task.name}': the cache '{cached.directory}' has no examples.")
    if task.objective is None:
        return CachedRows(task, sequence_length, cached)
    return SegmentRows(task, sequence_length, cached.documents())


def _positive(length: Any) -> bool:
    return length is not None and np.min(length) >= 1


def _sample(
    task: Task, raw: Sequence[Example | None], sequence_length: SequenceLength
) -> list[Example]:
    """What `_SAMPLE` raw examples, evenly spread, become; also shows early what is wrong."""
    indices = np.linspace(0, len(raw) - 1, _SAMPLE).astype(int).tolist()
    chain = Chain(task.precache_preprocessors)
    given = read(task, raw, indices)
    groups = task.preprocess_batch(given, indices, indices, sequence_length, chain, raw)
    return [example for group in groups for example in group]
