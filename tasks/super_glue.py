"""SuperGLUE (Wang et al., arXiv 1905.00537) and DPR as T5 writes them (arXiv 1910.10683, app. D).

WSC asks for the referent of a pronoun; it is trained on with the examples whose referent is right,
and with Definite Pronoun Resolution (Rahman and Ng, 2012). Of each task there is a twin with a
sentinel after the inputs and before the targets, as in span corruption. Text: TFDS,
https://super.gluebenchmark.com for licences.
"""

import functools

from t2t_tasks.t5_features import T5_FEATURES

from t2t.data.preprocessors import (
    definite_pronoun_resolution_simple,
    glue_text_preprocessor,
    record,
    wsc_simple,
)
from t2t.data.registry import TaskRegistry
from t2t.data.sources import TfdsDataSource
from t2t.data.variants import sentinel_name, with_sentinels
from t2t.evaluation import metrics, postprocessors

_BOOLEAN = ("False", "True")
_ENTAILMENT = ("entailment", "not_entailment")
_ALL = ("train", "validation", "test")

LABELS = {
    "boolq": _BOOLEAN,
    "cb": ("entailment", "contradiction", "neutral"),
    "copa": ("choice1", "choice2"),
    "multirc": _BOOLEAN,
    "record": _BOOLEAN,  # its targets are answers
    "rte": _ENTAILMENT,
    "wic": _BOOLEAN,
    "axb": _ENTAILMENT,
    "axg": _ENTAILMENT,
}
TRAINING_EXAMPLES = {
    "dpr_v001_simple": 1_322.0,
    "super_glue_wsc_v102_simple_train": 259.0,
    "super_glue_wsc_v102_simple_eval": 0.0,
    "super_glue_boolq_v102": 9_427.0,
    "super_glue_cb_v102": 250.0,
    "super_glue_copa_v102": 400.0,
    "super_glue_multirc_v102": 27_243.0,
    "super_glue_record_v102": 138_854.0,
    "super_glue_rte_v102": 2_490.0,
    "super_glue_wic_v102": 5_428.0,
    "super_glue_axb_v102": 0.0,
    "super_glue_axg_v102": 0.0,
}
"""Rates of all tasks in mixtures; of WSC, those examples whose referent is right."""

_POSTPROCESSORS = {"multirc": postprocessors.multirc, "record": postprocessors.record}
_METRICS = {
    "cb": [metrics.mean_multiclass_f1(num_classes=3), metrics.accuracy],
    "multirc": [
        metrics.multirc_f1_over_all_answers,
        metrics.mean_group_metric(metrics.all_match),
    ],
    "record": [metrics.deduplicate_metric(metrics.squad)],
    "axb": [],
    "axg": [],
}

for _name, _labels in LABELS.items():
    TaskRegistry.add(
        f"super_glue_{_name}_v102",
        source=TfdsDataSource(
            f"super_glue/{_name}:1.0.2", ("test",) if _name in ("axb", "axg") else _ALL
        ),
        preprocessors=[record if _name == "record" else glue_text_preprocessor(_name, _labels)],
        output_features=T5_FEATURES,
        postprocess_fn=_POSTPROCESSORS.get(
            _name,
            functools.partial(postprocessors.string_label_to_class_id, label_classes=_labels),
        ),
        metric_fns=_METRICS.get(_name, [metrics.accuracy]),
    )

TaskRegistry.add(
    "super_glue_wsc_v102_simple_train",
    source=TfdsDataSource("super_glue/wsc.fixed:1.0.2", ("train",)),
    preprocessors=[wsc_simple(correct_referent_only=True)],
    output_features=T5_FEATURES,
)
TaskRegistry.add(
    "super_glue_wsc_v102_simple_eval",
    source=TfdsDataSource("super_glue/wsc.fixed:1.0.2", ("validation", "test")),
    preprocessors=[wsc_simple()],
    output_features=T5_FEATURES,
    postprocess_fn=postprocessors.wsc_simple,
    metric_fns=[metrics.accuracy],
)
TaskRegistry.add(
    "dpr_v001_simple",
    source=TfdsDataSource("definite_pronoun_resolution:1.1.0", ("train", "test")),
    preprocessors=[definite_pronoun_resolution_simple()],
    output_features=T5_FEATURES,
    metric_fns=[metrics.accuracy],
)

for _name in TRAINING_EXAMPLES:
    with_sentinels(_name, 1)
SENTINEL_TRAINING_EXAMPLES = {sentinel_name(n, 1): rate for n, rate in TRAINING_EXAMPLES.items()}
