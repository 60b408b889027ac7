"""Spelling correction: `correct: acciednetally` -> `accidentally`.

Pairs: the dictionary of the `codespell` package (CC BY-SA 3.0), misspellings with a single answer.
Held out are all misspellings of one right word in twenty, so that no answer of the validation split
occurs in training.
"""

import zlib

from t2t_tasks.baselines import copy
from t2t_tasks.t5_features import BYT5_FEATURES

from t2t.data.preprocessors import text_to_text
from t2t.data.registry import TaskRegistry
from t2t.data.sources.archives import Archive, ArchiveDataSource
from t2t.evaluation.metrics import exact_match

ARCHIVE = Archive(
    "pip download --no-deps codespell==2.4.3", "codespell-2.4.3-*.whl", "codespell", extra="demo"
)


def pairs(split: str) -> list[dict[str, str]]:
    """`{"wrong": ..., "right": ...}` for each misspelling of the split."""
    [content] = ARCHIVE.read("codespell_lib/data/dictionary.txt").values()
    examples = []
    for line in content.decode("utf-8").splitlines():
        wrong, _, right = line.partition("->")
        if "," in right:  # several answers, or a remark
            continue
        held_out = zlib.crc32(right.encode()) % 20 == 0
        if held_out == (split == "validation"):
            examples.append({"wrong": wrong, "right": right})
    return examples


TaskRegistry.add(
    "spelling",
    source=ArchiveDataSource(pairs, ["train", "validation"], [ARCHIVE]),
    preprocessors=[text_to_text("correct: {wrong}", "{right}")],
    output_features=BYT5_FEATURES,
    metric_fns=[exact_match],
    baseline_fn=copy("correct: "),
)
