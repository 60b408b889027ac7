"""The scores of Super-NaturalInstructions (arXiv 2204.07705), as Tk-Instruct computes them.

Targets are {"value": references, "category": name or ""}, predictions {"value": text}, as the
postprocessor `references` of this module gives them. All are percentages.
"""

import string
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from t2t.errors import UserError
from t2t.evaluation.metrics.base import CorpusMetric, mean_metric
from t2t.evaluation.metrics.summarization import rouge_mean
from t2t.evaluation.resampling import Resampling, Values, of_sums, ratio

_WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)
Records = Sequence[Mapping[str, Any]]


def references(
    decoded: str, example: Mapping[str, Any] | None = None, is_target: bool = False
) -> dict[str, Any]:
    """Postprocessor for the metrics here: all references, and the category of the task."""
    if not is_target:
        return {"value": decoded}
    if example is None or "references" not in example:
        raise UserError("the postprocessor needs the example's field 'references'.")
    return {"value": list(example["references"]), "category": example.get("category", "")}


@mean_metric
def instruction_rouge(
    targets: Records, predictions: Records, any_script: bool = False
) -> Mapping[str, Any]:
    """ROUGE-L against the nearest reference: "rougeL".

    English words are compared by their stems; with `any_script` words of any script, as they are.
    """
    return rouge_mean.per_example(
        [target["value"] for target in targets],
        [prediction["value"] for prediction in predictions],
        score_keys=["rougeL"],
        use_stemmer=not any_script,
        any_script=any_script,
    )


@mean_metric
def instruction_exact_match(targets: Records, predictions: Records) -> Mapping[str, Any]:
    """How many equal a reference but for case, punctuation and white space: "exact_match"."""
    hits = [
        any(_normalized(prediction["value"]) == _normalized(r) for r in target["value"])
        for target, prediction in zip(targets, predictions, strict=True)
    ]
    return {"exact_match": 100.0 * np.array(hits)}


@CorpusMetric
def instruction_rouge_by_category(
    targets: Records, predictions: Records, any_script: bool = False
) -> Resampling:
    """`instruction_rouge` of each category of tasks: "rougeL_for_title_generation"."""
    scores = instruction_rouge.per_example(targets, predictions, any_script=any_script)
    names = ["_".join(target["category"].lower().split()) for target in targets]
    known = sorted({*names} - {""})
    members = np.array([[float(name == each) for each in known] for name in names])

    def summary(sums: np.ndarray) -> Values:
        total, examples = np.split(sums, 2, axis=1)
        means = ratio(total, examples)
        return {f"rougeL_for_{name}": means[:, i] for i, name in enumerate(known)}

    values = scores["rougeL"][:, None]
    return of_sums(np.concatenate([values * members, members], axis=1), summary)


def _normalized(text: str) -> str:
    return " ".join(text.lower().translate(_WITHOUT_PUNCTUATION).split())
