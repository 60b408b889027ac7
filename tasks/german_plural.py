"""The plural of German nouns: `plural: Haus` -> `Häuser`.

Nouns of Wiktionary from the package german-nouns 1.2.5 (CC BY-SA 4.0), those with one nominative
plural. Nouns that end in the same five letters are in the same split, so that a compound (Bauhaus)
does not give its head (Haus) away; of such endings one in twenty is held out. Baseline: the ending
decides, by what it does most often.
"""

import csv
import io

from t2t_tasks.baselines import EndingRules
from t2t_tasks.labelled import held_out
from t2t_tasks.t5_features import BYT5_FEATURES

from t2t.data.preprocessors import text_to_text
from t2t.data.registry import TaskRegistry
from t2t.data.sources.archives import Archive, ArchiveDataSource
from t2t.evaluation.metrics import exact_match

ARCHIVE = Archive(
    "pip download --no-deps german-nouns==1.2.5", "german_nouns-1.2.5-*.whl", "german-nouns"
)


def nouns(split: str) -> list[dict[str, str]]:
    """`{"noun": ..., "plural": ...}`, each noun once, none of several words."""
    [content] = ARCHIVE.read("german_nouns/nouns.csv").values()
    found: dict[str, str] = {}
    for row in csv.DictReader(io.StringIO(content.decode("utf-8"))):
        noun, plural = row["lemma"], row["nominativ plural"]
        if noun.isalpha() and plural.isalpha() and row["nominativ singular"] == noun:
            found.setdefault(noun, plural)
    return [
        {"noun": noun, "plural": plural}
        for noun, plural in found.items()
        if held_out(noun[-5:], 20) == (split == "validation")
    ]


TaskRegistry.add(
    "german_plural",
    source=ArchiveDataSource(nouns, ["train", "validation"], [ARCHIVE]),
    preprocessors=[text_to_text("plural: {noun}", "{plural}")],
    output_features=BYT5_FEATURES,
    metric_fns=[exact_match],
    baseline_fn=EndingRules(nouns, "plural: ", "noun", "plural"),
)
