"""Grammar correction: sentences by 828 writers of Ukrainian, and what editors made of them.

UA-GEC 2 (Syvokon et al., arXiv 2103.16997; CC BY 4.0) from the package ua-gec 2.1.3, its layer
without edits of fluency. "test" is the standard one, with two editors; "validation" is one in
twenty of the training documents. An editor's sentence is matched exactly, or by its edits, the
better of two editors. Baseline: a copy, which makes no edits.
"""

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from t2t_tasks.baselines import copy
from t2t_tasks.labelled import held_out
from t2t_tasks.t5_features import BYT5_FEATURES

from t2t.data.preprocessors import text_to_text
from t2t.data.registry import TaskRegistry
from t2t.data.sources import Example
from t2t.data.sources.archives import Archive, ArchiveDataSource, data_folder
from t2t.evaluation.metrics import CorpusMetric, mean_metric
from t2t.evaluation.metrics.base import check_pairs
from t2t.evaluation.metrics.libraries import load
from t2t.evaluation.resampling import Resampling, Values, of_sums, ratio

ARCHIVE = Archive("pip download --no-deps ua-gec==2.1.3", "ua_gec-2.1.3-*.whl", "ua-gec")
Edit = tuple[int, int, tuple[str, ...]]
"""Start and end among the words of the source, and what replaces them."""


def sentences(split: str) -> list[dict[str, Any]]:
    """`{"source": ..., "answers": [...], "corrected": the first of them}`.

    Sentences that several writers wrote are in one split only, in the last of them.
    """
    parts: dict[str, list[dict[str, Any]]] = {"test": [], "validation": [], "train": []}
    for document, example in _edited(data_folder(), "train"):
        parts["validation" if held_out(document, 20) else "train"].append(example)
    parts["test"] = [example for _, example in _edited(data_folder(), "test")]
    seen: set[str] = set()
    for name, examples in parts.items():
        if name == split:
            return [example for example in examples if example["source"] not in seen]
        seen |= {example["source"] for example in examples}
    return []


@functools.lru_cache(maxsize=2)  # both parts, for all splits
def _edited(folder: Path, part: str) -> list[tuple[str, dict[str, Any]]]:
    """Number of the document and example, in order."""
    del folder  # part of the cache's key
    edited: dict[str, list[list[str]]] = {}
    for document, lines in _documents(f"{part}/target-sentences"):
        edited.setdefault(document, []).append(lines)
    found = []
    for document, lines in _documents(f"{part}/source-sentences"):
        editors = [e for e in edited.get(document, []) if len(e) == len(lines)]
        for source, *answers in zip(lines, *editors, strict=True):
            if source and answers and all(answers):
                example = {"source": source, "answers": answers, "corrected": answers[0]}
                found.append((document, example))
    return found


def _documents(folder: str) -> Iterator[tuple[str, list[str]]]:
    """Number and sentences of each."""
    for path, content in ARCHIVE.read(f"ua_gec/data/gec-only/{folder}/*.txt").items():
        lines = content.decode("utf-8").splitlines()
        yield path.rsplit("/", 1)[1].split(".")[0], [line.strip() for line in lines]


def with_source(decoded: str, example: Example, is_target: bool) -> Any:
    """For the metrics: the prediction as it is, or what was corrected, and how."""
    return (example["source"], example["answers"]) if is_target else decoded


@mean_metric
def exact_correction(targets: Sequence[Any], predictions: Sequence[str]) -> Mapping[str, Any]:
    """Share of predictions equal to an editor's sentence, from 0 to 1."""
    pairs = zip(targets, predictions, strict=True)
    return {"exact_match": [float(text in answers) for (_, answers), text in pairs]}


@CorpusMetric
def correction_f05(targets: Sequence[Any], predictions: Sequence[str]) -> Resampling:
    """Precision, recall and F0.5 of edits of words over all sentences, from 0 to 100.

    Edits are the shortest way from the source to a text, neighbours as one, a mark a word of its
    own. Of several editors counts the one who agrees most, sentence by sentence (Ng et al. 2014,
    CoNLL). Without any edits precision and recall are 100 each.
    """
    check_pairs("correction_f05", targets, predictions)
    best = []
    for (source, answers), prediction in zip(targets, predictions, strict=True):
        own = edits(source, prediction)
        editors = [edits(source, answer) for answer in answers]
        counts = np.array([[len(own & theirs), len(own), len(theirs)] for theirs in editors])
        best.append(counts[_f05(counts)["f0.5"].argmax()])
    return of_sums(np.array(best, np.float64), _f05)


def _f05(counts: np.ndarray) -> Values:
    """Of right edits, those made and those wanted, `[draws, 3]`."""
    right, made, wanted = counts.T
    precision, recall = ratio(right, made, undefined=1.0), ratio(right, wanted, undefined=1.0)
    score = ratio(1.25 * precision * recall, 0.25 * precision + recall, undefined=0.0)
    return {"precision": 100.0 * precision, "recall": 100.0 * recall, "f0.5": 100.0 * score}


def edits(source: str, text: str) -> set[Edit]:
    """What changes words and marks of one into those of the other."""
    before, after = (re.findall(r"\w+(?:['\u2019\u02bc-]\w+)*|\S", side) for side in (source, text))
    found: list[Edit] = []
    for step in load("rapidfuzz.distance").Levenshtein.opcodes(before, after):
        if step.tag == "equal":
            continue
        start, words = step.src_start, tuple(after[step.dest_start : step.dest_end])
        if found and found[-1][1] == start:
            start, words = found[-1][0], found.pop()[2] + words
        found.append((start, step.src_end, words))
    return set(found)


TaskRegistry.add(
    "ukrainian_correction",
    source=ArchiveDataSource(sentences, ["train", "validation", "test"], [ARCHIVE]),
    preprocessors=[text_to_text("grammar: {source}", "{corrected}")],
    output_features=BYT5_FEATURES,
    postprocess_fn=with_source,
    metric_fns=[exact_correction, correction_f05],
    baseline_fn=copy("grammar: "),
)
