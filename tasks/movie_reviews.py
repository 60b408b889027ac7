"""Single sentences: is a sentence of a movie review positive or negative? Pairs: which is more so?

10,605 sentences of Rotten Tomatoes reviews, each rated by 20 people from -4 to 4 (Hutto and
Gilbert, "VADER", ICWSM 2014), from the source package of vaderSentiment 0.5 (MIT; later ones lack
them). One in ten is held out. Baseline: linear.
"""

import zlib

from t2t_tasks.baselines import LinearClassifier
from t2t_tasks.labelled import add_labelled, held_out
from t2t_tasks.t5_features import BYT5_FEATURES

from t2t.data.preprocessors import text_to_text
from t2t.data.registry import TaskRegistry
from t2t.data.sources.archives import Archive, ArchiveDataSource, read_tar
from t2t.evaluation.metrics import accuracy

ARCHIVE = Archive("pip download --no-deps vaderSentiment==0.5", "vaderSentiment-0.5.zip")
FILE = "movieReviewSnippets_GroundTruth.txt"


OTHERS = 8  # that a sentence is compared with


def reviews(split: str) -> list[dict[str, str]]:
    """`{"inputs": sentence, "targets": "positive" or "negative"}`, but for those near 0."""
    return [
        {"inputs": sentence, "targets": "positive" if rating > 0 else "negative"}
        for sentence, rating in _rated(split)
        if abs(rating) >= 0.5
    ]


def pairs(split: str) -> list[dict[str, str]]:
    """`{"inputs": sentence, "pair": sentence, "targets": "first" or "second"}`: the better one.

    Both are of the split, and their ratings at least 2 apart.
    """
    rated = _rated(split)
    examples = []
    for number, (first, rating) in enumerate(rated):
        for draw in range(OTHERS):
            second, other = rated[zlib.crc32(f"{number} {draw}".encode()) % len(rated)]
            if abs(rating - other) >= 2:
                better = "first" if rating > other else "second"
                examples.append({"inputs": first, "pair": second, "targets": better})
    return examples


def _rated(split: str) -> list[tuple[str, float]]:
    """Sentences and their mean ratings."""
    [inner] = ARCHIVE.read("hutto_ICWSM_2014.tar.gz").values()
    [content] = read_tar(inner, lambda path: path.endswith(f"/{FILE}")).values()
    rows = (line.split("\t") for line in content.decode("utf-8").splitlines())
    return [
        (sentence, float(rating))
        for _, rating, sentence in rows
        if held_out(sentence) == (split == "validation")
    ]


add_labelled(
    "movie_reviews",
    reviews,
    ARCHIVE,
    splits=["train", "validation"],
    labels=("negative", "positive"),
    prompt="review: {inputs} sentiment:",
)
add_labelled(
    "movie_review_pairs",
    pairs,
    ARCHIVE,
    splits=["train", "validation"],
    labels=("first", "second"),
    prompt="review: {inputs} review: {pair} better:",
)
TaskRegistry.add(
    "movie_reviews_bytes",
    source=ArchiveDataSource(reviews, ["train", "validation"], [ARCHIVE]),
    preprocessors=[text_to_text("sentiment: {inputs}", "{targets}")],
    output_features=BYT5_FEATURES,
    metric_fns=[accuracy],
    baseline_fn=LinearClassifier(reviews, "sentiment: ", "inputs", "targets"),
)
