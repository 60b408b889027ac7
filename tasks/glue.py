"""GLUE (Wang et al., arXiv 1804.07461) as T5 writes it (arXiv 1910.10683, section 2.3, appendix D).

MNLI is trained on as `glue_mnli_v002` and evaluated by its two halves; `ax` is the diagnostic set
of the leaderboard, without labels. Text: TFDS, https://gluebenchmark.com for licences.
"""

import functools

from t2t_tasks.t5_features import T5_FEATURES

from t2t.data.preprocessors import glue_text_preprocessor, wnli_simple
from t2t.data.registry import TaskRegistry
from t2t.data.sources import TfdsDataSource
from t2t.evaluation import metrics, postprocessors

_ENTAILMENT = ("entailment", "not_entailment")
_INFERENCE = ("entailment", "neutral", "contradiction")
_ALL = ("train", "validation", "test")
_DEV = ("validation", "test")
_MNLI = ("train", *(f"{split}_{half}" for split in _DEV for half in ("matched", "mismatched")))

LABELS = {
    "cola": ("unacceptable", "acceptable"),
    "sst2": ("negative", "positive"),
    "mrpc": ("not_equivalent", "equivalent"),
    "qqp": ("not_duplicate", "duplicate"),
    "stsb": (),  # a number
    "mnli": _INFERENCE,
    "mnli_matched": _INFERENCE,
    "mnli_mismatched": _INFERENCE,
    "qnli": _ENTAILMENT,
    "rte": _ENTAILMENT,
    "wnli": _ENTAILMENT[::-1],
    "ax": _INFERENCE,
}
TRAINING_EXAMPLES = {
    "glue_cola_v002": 8_551.0,
    "glue_sst2_v002": 67_349.0,
    "glue_mrpc_v002": 3_668.0,
    "glue_qqp_v002": 363_849.0,
    "glue_stsb_v002": 5_749.0,
    "glue_mnli_v002": 392_702.0,
    "glue_qnli_v002": 104_743.0,
    "glue_rte_v002": 2_490.0,
    "glue_mnli_mismatched_v002": 0.0,
    "glue_mnli_matched_v002": 0.0,
    "glue_ax_v002": 0.0,
}
"""Rates of the tasks that mixtures train on: without WNLI, in whose place stands WSC."""

_SPLITS = {"mnli": _MNLI, "mnli_matched": _DEV, "mnli_mismatched": _DEV, "ax": ("test",)}
_METRICS = {
    "cola": [metrics.matthews_corrcoef],
    "mrpc": [metrics.f1_score_with_invalid, metrics.accuracy],
    "qqp": [metrics.f1_score_with_invalid, metrics.accuracy],
    "stsb": [metrics.pearson_corrcoef, metrics.spearman_corrcoef],
    "ax": [],
}


def _source(name: str, splits: tuple[str, ...]) -> TfdsDataSource:
    # T5's 1.0.0 can be read, but no longer be prepared; 2.0.0 has another copy of QQP.
    return TfdsDataSource(f"glue/{name}:1.0.0|2.0.0", splits)


for _name, _labels in LABELS.items():
    TaskRegistry.add(
        f"glue_{_name}_v002",
        source=_source(_name, _SPLITS.get(_name, _ALL)),
        preprocessors=[glue_text_preprocessor(_name, _labels)],
        output_features=T5_FEATURES,
        postprocess_fn=functools.partial(
            postprocessors.string_label_to_class_id, label_classes=_labels
        )
        if _labels
        else postprocessors.string_to_float,
        metric_fns=_METRICS.get(_name, [metrics.accuracy]),
    )

TaskRegistry.add(
    "glue_wnli_v002_simple_eval",
    source=_source("wnli", _DEV),
    preprocessors=[wnli_simple()],
    output_features=T5_FEATURES,
    postprocess_fn=postprocessors.wsc_simple,
    metric_fns=[metrics.accuracy],
)
