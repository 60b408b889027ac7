"""Sentence pairs: are two passages of one State of the Union address, or of two?

No package of pip, apt or npm holds pairs that people have labelled, such as entailment; this
question has true answers that nobody made up, and is another than next-sentence prediction's: the
passages are at least a paragraph apart. As in authorship verification, topic and time tell much.
Passages of held-out speeches are paired among themselves; the few that other speeches repeat are
not trained on.
"""

import zlib

from t2t_tasks.labelled import add_labelled
from t2t_tasks.sotu import speeches

WORDS = 40  # at most, of a passage


def pairs(split: str) -> list[dict[str, str]]:
    """`{"inputs": passage, "pair": passage, "targets": "same" or "different"}`, half of each."""
    documents = [_passages(speech["text"]) for speech in speeches(split)]
    if split == "train":
        held_out = {p for speech in speeches("validation") for p in _passages(speech["text"])}
        documents = [[p for p in document if p not in held_out] for document in documents]
    documents = [document for document in documents if len(document) >= 4]
    everything = [(d, p) for d, document in enumerate(documents) for p in range(len(document))]
    examples = []
    for d, p in everything:
        document = documents[d]
        draw = zlib.crc32(f"{d} {p}".encode())
        if draw % 2:
            distance = 2 + (draw >> 1) % (len(document) - 3)
            pair, label = document[(p + distance) % len(document)], "same"
        else:
            other, place = everything[(draw >> 1) % len(everything)]
            if other == d:
                other, place = (d + 1) % len(documents), 0
            pair, label = documents[other][place], "different"
        examples.append({"inputs": document[p], "pair": pair, "targets": label})
    return examples


def _passages(speech: str) -> list[str]:
    """The beginnings of paragraphs, those of a few words left out."""
    paragraphs = [paragraph.split() for paragraph in speech.split("\n\n")]
    return [" ".join(words[:WORDS]) for words in paragraphs if len(words) >= WORDS // 2]


add_labelled(
    "sotu_same_speech",
    pairs,
    splits=["train", "validation"],
    labels=("different", "same"),
    prompt="passage: {inputs} passage: {pair} speech:",
)
