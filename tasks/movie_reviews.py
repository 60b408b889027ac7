"""Single sentences: is a sentence of a movie review positive or negative?

10,605 sentences of Rotten Tomatoes reviews, each rated by 20 people from -4 to 4 (Hutto and
Gilbert, "VADER", ICWSM 2014), from the source package of vaderSentiment 0.5 (MIT; later ones lack
them). Left out are those rated between -0.5 and 0.5. One in ten is held out.
"""

from t2t_tasks.archives import Archive, read_tar
from t2t_tasks.labelled import add_labelled, held_out

ARCHIVE = Archive("pip download --no-deps vaderSentiment==0.5", "vaderSentiment-0.5.zip")
FILE = "movieReviewSnippets_GroundTruth.txt"


def reviews(split: str) -> list[dict[str, str]]:
    """`{"inputs": sentence, "targets": "positive" or "negative"}`."""
    [inner] = ARCHIVE.read("hutto_ICWSM_2014.tar.gz").values()
    [content] = read_tar(inner, lambda path: path.endswith(f"/{FILE}")).values()
    examples = []
    for line in content.decode("utf-8").splitlines():
        _, rating, sentence = line.split("\t")
        if abs(float(rating)) >= 0.5 and held_out(sentence) == (split == "validation"):
            label = "positive" if float(rating) > 0 else "negative"
            examples.append({"inputs": sentence, "targets": label})
    return examples


add_labelled(
    "movie_reviews",
    reviews,
    splits=["train", "validation"],
    labels=("negative", "positive"),
    prompt="review: {inputs} sentiment:",
)
