"""Summaries as T5 writes them, `summarize: ...`: XSum, SAMSum, MultiNews, BillSum.

XSum: news in one sentence (Narayan et al., arXiv 1808.08745). SAMSum: dialogues (Gliwa et al.,
arXiv 1911.12237, CC BY-NC-ND 4.0). MultiNews: several articles, "|||||" between them (Fabbri et
al., arXiv 1906.01749). BillSum: bills of the US Congress and of California (Kornilova and Eidelman,
arXiv 1910.00523, CC0); of its training bills, one in ten is for validation. Text: TFDS.
"""

import functools

from t2t_tasks.t5_features import MT5_FEATURES, T5_FEATURES

from t2t.data.preprocessors import summarize
from t2t.data.registry import TaskRegistry
from t2t.data.sources import TfdsDataSource
from t2t.evaluation import metrics

_ALL = ("train", "validation", "test")
_BILLS = {
    "train": "train[:90%]",
    "validation": "train[90%:]",
    "test": "test",
    "ca_test": "ca_test",
}
_SOURCES = {
    "xsum": (TfdsDataSource("xsum:1.0.0|1.1.0", _ALL), "document"),
    "samsum": (TfdsDataSource("samsum:1.0.0", _ALL), "dialogue"),
    "multi_news": (TfdsDataSource("multi_news:1.0.0|2.1.0", _ALL), "document"),
    "billsum": (TfdsDataSource("billsum:3.0.0", _BILLS), "text"),
}

ROUGE = functools.partial(
    metrics.rouge_mean, score_keys=("rouge1", "rouge2", "rougeL", "rougeLsum")
)

for _prefix, _features in (("", T5_FEATURES), ("mt5_", MT5_FEATURES)):
    for _name, (_source, _article) in _SOURCES.items():
        TaskRegistry.add(
            f"{_prefix}{_name}",
            source=_source,
            preprocessors=[summarize(_article, "summary")],
            output_features=_features,
            metric_fns=[ROUGE],
        )
