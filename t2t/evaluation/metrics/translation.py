"""BLEU."""

from collections.abc import Sequence

import numpy as np

from t2t.evaluation.metrics.base import CorpusMetric, check_pairs
from t2t.evaluation.metrics.libraries import load
from t2t.evaluation.resampling import Resampling, Values, of_sums

_ORDER = 4


@CorpusMetric
def bleu(
    targets: Sequence[str | Sequence[str]], predictions: Sequence[str], tokenizer: str = "intl"
) -> Resampling:
    """Corpus BLEU from 0 to 100 (Papineni et al. 2002), as sacrebleu computes it (Post 2018).

    Cased, with exponential smoothing; 0 for texts of fewer than four words.

    Args:
      targets: a reference, or several of them, for each example.
      predictions: detokenised text.
      tokenizer: sacrebleu's name of one: "intl", "13a", "zh", "ja-mecab", "char", ...
    """
    check_pairs("bleu", targets, predictions)
    metric = load("sacrebleu").BLEU(tokenize=tokenizer, smooth_method="exp", effective_order=True)
    references = [[target] if isinstance(target, str) else list(target) for target in targets]
    scores = [
        metric.sentence_score(prediction, texts)
        for prediction, texts in zip(predictions, references, strict=True)
    ]
    statistics = [[*s.counts, *s.totals, s.sys_len, s.ref_len] for s in scores]

    def score(row: np.ndarray) -> float:
        counts, totals, (length, reference) = np.split(row.astype(int), [_ORDER, 2 * _ORDER])
        found = metric.compute_bleu(
            counts.tolist(),
            totals.tolist(),
            int(length),
            int(reference),
            smooth_method="exp",
            effective_order=False,
        )
        return found.score

    def summary(sums: np.ndarray) -> Values:
        return {"bleu": np.array([score(row) for row in sums])}

    return of_sums(np.array(statistics, np.float64), summary)
