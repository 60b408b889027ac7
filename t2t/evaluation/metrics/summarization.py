"""ROUGE."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from t2t.data.preprocessors.spacing import spaced_characters
from t2t.errors import UserError
from t2t.evaluation.confidence import resampled_means
from t2t.evaluation.metrics.base import MeanMetric, mean_metric
from t2t.evaluation.metrics.libraries import load

KEYS = ("rouge1", "rouge2", "rougeLsum")
Reference = str | Sequence[str]


@mean_metric
def rouge_mean(
    targets: Sequence[Reference],
    predictions: Sequence[str],
    score_keys: Sequence[str] = KEYS,
    use_stemmer: bool = False,
    any_script: bool = False,
) -> Mapping[str, Any]:
    """Mean F-measures from 0 to 100 (Lin 2004) as rouge-score computes them.

    For rougeLsum, sentences are what newlines or a free-standing full stop, " . ", separate.

    Args:
      targets: a reference, or several of them, of which the nearest counts, for each key by itself.
      predictions: detokenised text.
      score_keys: "rougeL", "rougeLsum", and "rouge1" to "rouge9".
      use_stemmer: compares English words by their stems (Porter).
      any_script: words are runs of letters, marks and digits of any script, or single characters
        where a script has no spaces; rouge-score's own are of the letters a to z alone.
    """
    scorer = load("rouge_score.rouge_scorer").RougeScorer(
        list(score_keys), use_stemmer, tokenizer=_AnyScript() if any_script else None
    )
    scores = [
        scorer.score_multi(
            [_one_sentence_a_line(reference) for reference in _references(target)],
            _one_sentence_a_line(prediction),
        )
        for target, prediction in zip(targets, predictions, strict=True)
    ]
    return {key: [100.0 * score[key].fmeasure for score in scores] for key in score_keys}


class _BootstrapMedian(MeanMetric):
    """The median of the means of 1000 new draws of the examples, for comparison with T5's."""

    def summary(self, values: Mapping[str, np.ndarray]) -> dict[str, float]:
        return {
            name: float(np.median(resampled_means(v, np.random.default_rng(0), samples=1000)))
            for name, v in values.items()
        }


@_BootstrapMedian
def rouge(
    targets: Sequence[Reference], predictions: Sequence[str], score_keys: Sequence[str] = KEYS
) -> Mapping[str, Any]:
    """As `rouge_mean`, which is exact, but aggregated as rouge-score does: by bootstrap, seed 0."""
    return rouge_mean.per_example(targets, predictions, score_keys=score_keys)


class _AnyScript:
    """A tokenizer for rouge-score: lower-cased words without punctuation."""

    def tokenize(self, text: str) -> list[str]:
        kept = (c if unicodedata.category(c)[0] in "LMN" else " " for c in text.lower())
        return spaced_characters("".join(kept)).split()


def _references(target: Reference) -> Sequence[str]:
    if not len(target) and not isinstance(target, str):
        raise UserError("a target has no reference at all.")
    return [target] if isinstance(target, str) else target


def _one_sentence_a_line(text: str) -> str:
    return text.replace(" . ", " .\n")
