"""English inflection: `inflect VBZ: fantasise` -> `fantasises`.

Forms: the lexicon of the `lemminflect` package (MIT; SPECIALIST lexicon of the NLM), the first
variant of each. One lemma in twenty is held out, with all its forms.
"""

import gzip
import re
import zlib

from t2t_tasks.t5_features import BYT5_FEATURES

from t2t.data.preprocessors import text_to_text
from t2t.data.registry import TaskRegistry
from t2t.data.sources.archives import Archive, ArchiveDataSource
from t2t.evaluation.metrics import exact_match

ARCHIVE = Archive(
    "pip download --no-deps lemminflect==0.2.3",
    "lemminflect-0.2.3-*.whl",
    "lemminflect",
    extra="demo",
)
TAGS = {"verb": ("VBD", "VBN", "VBG", "VBZ"), "noun": ("NNS",), "adj": ("JJR", "JJS")}


def forms(split: str) -> list[dict[str, str]]:
    """`{"lemma": ..., "tag": ..., "form": ...}` for each form of the split's lemmas."""
    [content] = ARCHIVE.read("lemminflect/resources/infl_lu.csv.gz").values()
    examples = []
    for line in gzip.decompress(content).decode("utf-8").splitlines():
        lemma, kind, *columns = line.split(",")
        held_out = zlib.crc32(lemma.encode()) % 20 == 0
        if held_out != (split == "validation") or kind not in TAGS:
            continue
        if kind == "verb":
            columns[1] = columns[1] or columns[0]  # VBN is left out where it equals VBD
        for tag, variants in zip(TAGS[kind], columns, strict=True):
            if variants:
                form = variants.split("/")[0]
                examples.append({"lemma": lemma, "tag": tag, "form": form})
    return examples


_SUFFIX = {
    "VBD": "ed",
    "VBN": "ed",
    "VBG": "ing",
    "VBZ": "s",
    "NNS": "s",
    "JJR": "er",
    "JJS": "est",
}


def suffix_rules(inputs: str) -> str:
    """What a school grammar says: -s or -es, dropped e, y to i; no doubling, no irregulars."""
    tag, lemma = inputs.removeprefix("inflect ").split(": ", 1)
    suffix = _SUFFIX[tag]
    if suffix == "s":
        if re.search(r"[^aeiou]y$", lemma):
            return lemma[:-1] + "ies"
        return lemma + ("es" if re.search(r"(s|x|z|ch|sh)$", lemma) else "s")
    if suffix == "ing":
        return (lemma[:-1] if re.search(r"[^eoy]e$", lemma) else lemma) + "ing"
    if re.search(r"[^aeiou]y$", lemma):
        return lemma[:-1] + "i" + suffix
    return lemma.removesuffix("e") + suffix


TaskRegistry.add(
    "inflection",
    source=ArchiveDataSource(forms, ["train", "validation"], [ARCHIVE]),
    preprocessors=[text_to_text("inflect {tag}: {lemma}", "{form}")],
    output_features=BYT5_FEATURES,
    metric_fns=[exact_match],
    baseline_fn=suffix_rules,
)
