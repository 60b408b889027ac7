"""TriviaQA (Joshi et al., arXiv 1705.03551) with its evidence, to train on, as T5 writes it.

One example per page and alias of the answer that occurs in it; pages that are too long are cut to
a window around the answer. T5 has no metric for it: mixtures train on it beside SQuAD. Text: TFDS.
"""

from t2t_tasks.t5_features import T5_FEATURES

from t2t.data.preprocessors import (
    CacheDatasetPlaceholder,
    append_eos_after_trim,
    tokenize,
    trivia_qa,
    trivia_qa_truncate_inputs,
)
from t2t.data.registry import TaskRegistry
from t2t.data.sources import TfdsDataSource

TaskRegistry.add(
    "trivia_qa_v010",
    source=TfdsDataSource("trivia_qa/rc:1.1.0", ("train", "validation", "test")),
    preprocessors=[
        trivia_qa,
        tokenize(),
        CacheDatasetPlaceholder(),
        trivia_qa_truncate_inputs,
        append_eos_after_trim,
    ],
    output_features=T5_FEATURES,
)
