"""Files for the leaderboards of GLUE and SuperGLUE, from predictions for the test sets."""

import dataclasses
import json
import math
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from t2t.data.mixtures import Mixture
from t2t.data.preprocessors import Preprocessor
from t2t.data.registry import TaskRegistry
from t2t.data.sources import Example
from t2t.data.tasks import Task
from t2t.errors import UserError
from t2t.evaluation.metrics.base import decoded_only
from t2t.evaluation.results import TaskResult
from t2t.replacing import replacing

Record = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class SubmissionFile:
    """One file of a submission.

    Attributes:
      name: of the file, without its extension.
      task: whose test set it is about.
      labels: what the leaderboard calls the predictions; the first stands for invalid ones. Keys
        are texts, or numbers for what the task's postprocessor makes of them. None for other than
        classes.
      index: the field that numbers the examples.
    """

    name: str
    task: str
    labels: Mapping[Any, Any] | None
    index: str = "idx"


def _numbers(*labels: str) -> dict[str, int]:
    return {label: number for number, label in enumerate(labels)}


def _names(*labels: str) -> dict[str, str]:
    return {label: label for label in labels}


def _starting(first: str, labels: Mapping[str, Any]) -> dict[str, Any]:
    return {first: labels[first], **labels}


_TWO = _names("entailment", "not_entailment")
_THREE = _names("entailment", "neutral", "contradiction")
_BOOLEAN = {"False": "false", "True": "true"}
GLUE = (
    SubmissionFile(
        "CoLA", "glue_cola_v002", _starting("acceptable", _numbers("unacceptable", "acceptable"))
    ),
    SubmissionFile(
        "SST-2", "glue_sst2_v002", _starting("positive", _numbers("negative", "positive"))
    ),
    SubmissionFile(
        "MRPC", "glue_mrpc_v002", _starting("equivalent", _numbers("not_equivalent", "equivalent"))
    ),
    SubmissionFile("STS-B", "glue_stsb_v002", None),
    SubmissionFile("QQP", "glue_qqp_v002", _numbers("not_duplicate", "duplicate")),
    SubmissionFile("MNLI-m", "glue_mnli_matched_v002", _THREE),
    SubmissionFile("MNLI-mm", "glue_mnli_mismatched_v002", _THREE),
    SubmissionFile("QNLI", "glue_qnli_v002", _TWO),
    SubmissionFile("RTE", "glue_rte_v002", _TWO),
    SubmissionFile("WNLI", "glue_wnli_v002_simple_eval", {0: 0, 1: 1}),
    SubmissionFile("AX", "glue_ax_v002", _THREE),
)
SUPER_GLUE = (
    SubmissionFile("BoolQ", "super_glue_boolq_v102", _starting("True", _BOOLEAN)),
    SubmissionFile("CB", "super_glue_cb_v102", _names("contradiction", "entailment", "neutral")),
    SubmissionFile("COPA", "super_glue_copa_v102", _numbers("choice1", "choice2")),
    SubmissionFile("MultiRC", "super_glue_multirc_v102", _numbers("False", "True")),
    SubmissionFile("ReCoRD", "super_glue_record_v102", None, "idx/query"),
    SubmissionFile("RTE", "super_glue_rte_v102", _TWO),
    SubmissionFile("WiC", "super_glue_wic_v102", _BOOLEAN),
    SubmissionFile("WSC", "super_glue_wsc_v102_simple_eval", {0: "False", 1: "True"}),
    SubmissionFile("AX-b", "super_glue_axb_v102", _starting("not_entailment", _TWO)),
    SubmissionFile("AX-g", "super_glue_axg_v102", _TWO),
)
BENCHMARKS: Mapping[str, Sequence[SubmissionFile]] = {"glue": GLUE, "super_glue": SUPER_GLUE}


def tasks_of(benchmark: str, vocabulary: str) -> Mixture:
    """The tasks of all files, to be evaluated on "test".

    Args:
      benchmark: "glue" or "super_glue".
      vocabulary: fingerprint of that of the model's targets, which tells tasks in pieces from those
        in bytes.
    """
    for prefix in ("byt5_", ""):  # the other vocabulary may have to be fetched
        tasks = [TaskRegistry.get(f"{prefix}{file.task}") for file in BENCHMARKS[benchmark]]
        if tasks[0].output_features["targets"].vocabulary.fingerprint == vocabulary:
            asked = tuple((_asked(task, task.name.removeprefix(prefix)), 1.0) for task in tasks)
            return Mixture(f"{benchmark}_test", asked)
    raise UserError(
        f"This model's vocabulary is neither that of {tasks[0].name} nor that of "
        f"byt5_{tasks[0].name}, so there are no {benchmark} tasks that it can read."
    )


def _asked(task: Task, name: str) -> Task:
    """The task under its ordinary name, to be decoded; examples keep their "idx"."""
    preprocessors = tuple(map(_keeping_idx, task.preprocessors))
    return task.replace(name=name, preprocessors=preprocessors, metric_fns=(decoded_only,))


def _keeping_idx(preprocessor: Preprocessor) -> Preprocessor:
    def apply(example: Example) -> Any:
        made = preprocessor(example)
        if not isinstance(made, Mapping) or any(key.split("/")[0] == "idx" for key in made):
            return made
        return {**made, "idx": example["idx"]}

    return apply


def write_submission(
    benchmark: str, results: Mapping[str, TaskResult], folder: Path
) -> dict[str, int]:
    """Writes the files, and `<benchmark>.zip` of all of them.

    Returns:
      How many predictions of each file were no label, in whose place another stands.
    """
    invalid, written = {}, []
    for file in BENCHMARKS[benchmark]:
        lines, invalid[file.name] = _LINES.get(file.name, _lines)(file, results[file.task].records)
        if benchmark == "glue":
            rows = ["index\tprediction", *(f"{i}\t{label}" for i, label in lines)]
        else:
            rows = [json.dumps(_entry(file, i, label), ensure_ascii=False) for i, label in lines]
        path = folder / f"{file.name}.{'tsv' if benchmark == 'glue' else 'jsonl'}"
        with replacing(path) as partial:
            partial.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
        written.append(path)
    with (
        replacing(folder / f"{benchmark}.zip") as partial,
        zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for path in written:
            archive.write(path, path.name)
    return invalid


Lines = tuple[list[tuple[int, Any]], int]
"""Pairs of an index and a label, and how many predictions were no label."""


def _lines(file: SubmissionFile, records: Sequence[Record]) -> Lines:
    assert file.labels is not None
    labels, fallback = file.labels, next(iter(file.labels.values()))
    key = "prediction" if isinstance(next(iter(labels)), str) else "prediction_value"
    rows = {int(r[file.index]): labels.get(r[key], fallback) for r in records}
    return sorted(rows.items()), sum(r[key] not in labels for r in records)


def _similarities(file: SubmissionFile, records: Sequence[Record]) -> Lines:
    """Numbers from 0 to 5; their middle where there is none."""
    rows, invalid = {}, 0
    for record in records:
        try:
            number = float(record["prediction"])
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            number, invalid = 2.5, invalid + 1
        rows[int(record[file.index])] = min(max(number, 0.0), 5.0)
    return sorted(rows.items()), invalid


def _answers(file: SubmissionFile, records: Sequence[Record]) -> Lines:
    """Texts, of several for one query the first."""
    rows: dict[int, str] = {}
    for record in records:
        rows.setdefault(int(record[file.index]), record["prediction"])
    return sorted(rows.items()), 0


def _paragraphs(file: SubmissionFile, records: Sequence[Record]) -> Lines:
    """For each paragraph its questions, for each of these its answers."""
    assert file.labels is not None
    invalid = 0
    tree: dict[int, dict[int, dict[int, int]]] = {}
    for record in records:
        paragraph, question, answer = (
            int(record[f"idx/{part}"]) for part in ("paragraph", "question", "answer")
        )
        answers = tree.setdefault(paragraph, {}).setdefault(question, {})
        answers[answer] = file.labels.get(record["prediction"], 0)
        invalid += record["prediction"] not in file.labels
    return sorted(
        (
            number,
            [
                {"idx": q, "answers": [{"idx": a, "label": x} for a, x in sorted(answers.items())]}
                for q, answers in sorted(questions.items())
            ],
        )
        for number, questions in tree.items()
    ), invalid


_LINES: Mapping[str, Callable[[SubmissionFile, Sequence[Record]], Lines]] = {
    "STS-B": _similarities,
    "ReCoRD": _answers,
    "MultiRC": _paragraphs,
}


def _entry(file: SubmissionFile, index: int, label: Any) -> dict[str, Any]:
    if file.name == "MultiRC":
        return {"idx": index, "passage": {"questions": label}}
    return {"idx": index, "label": label}
