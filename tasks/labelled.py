"""Labelled texts as two tasks each: labels for a head, and the same words for text to text."""

import zlib
from collections.abc import Callable, Sequence
from typing import Any

from t2t_tasks.pieces import ENDED, OPEN

from t2t.data.features import Feature
from t2t.data.preprocessors import text_to_text
from t2t.data.registry import TaskRegistry
from t2t.data.sources.archives import Archive, ArchiveDataSource
from t2t.data.vocabularies import LabelVocabulary
from t2t.evaluation.metrics import accuracy


def add_labelled(
    name: str,
    load: Callable[[str], list[dict[str, str]]],
    archive: Archive,
    splits: Sequence[str],
    labels: Sequence[str],
    prompt: str,
    metric_fns: Sequence[Callable] = (accuracy,),
    **fields: Any,
) -> None:
    """Registers `name` and `{name}_text`.

    Args:
      name: of the task for a head.
      load: a split's examples, `{"inputs": ..., "targets": ...}`, of pairs also "pair".
      archive: what it reads.
      splits: what it can load.
      labels: all targets there are, or all words of them.
      prompt: inputs of the text-to-text task, fields in braces.
      metric_fns: of both tasks.
      **fields: other fields of both tasks.
    """
    source = ArchiveDataSource(load, splits, [archive])
    common = {"source": source, "metric_fns": metric_fns, **fields}
    classes = Feature(LabelVocabulary(labels), add_eos=False)
    texts = {"inputs": OPEN, "pair": OPEN} if "{pair}" in prompt else {"inputs": OPEN}
    TaskRegistry.add(name, output_features={**texts, "targets": classes}, **common)
    TaskRegistry.add(
        f"{name}_text",
        preprocessors=[text_to_text(prompt, "{targets}")],
        output_features={"inputs": ENDED, "targets": ENDED},
        **common,
    )


def held_out(text: str, one_in: int = 10) -> bool:
    """Whether a text is among the one in so many that are not trained on, by its letters alone."""
    letters = "".join(character for character in text.lower() if character.isalnum())
    return zlib.crc32(letters.encode()) % one_in == 0
