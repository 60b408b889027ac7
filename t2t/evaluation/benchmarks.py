"""Averages over the tasks of a benchmark."""

import itertools
from collections.abc import Mapping

import numpy as np

from t2t.errors import UserError

_GLUE = {
    "CoLA": ["glue_cola_v002/matthews_corrcoef"],
    "SST-2": ["glue_sst2_v002/accuracy"],
    "MRPC": ["glue_mrpc_v002/f1", "glue_mrpc_v002/accuracy"],
    "STS-B": ["glue_stsb_v002/pearson_corrcoef", "glue_stsb_v002/spearman_corrcoef"],
    "QQP": ["glue_qqp_v002/f1", "glue_qqp_v002/accuracy"],
    "MNLI": ["glue_mnli_matched_v002/accuracy", "glue_mnli_mismatched_v002/accuracy"],
    "QNLI": ["glue_qnli_v002/accuracy"],
    "RTE": ["glue_rte_v002/accuracy"],
}
_SUPER_GLUE = {
    "BoolQ": ["super_glue_boolq_v102/accuracy"],
    "CB": ["super_glue_cb_v102/mean_3class_f1", "super_glue_cb_v102/accuracy"],
    "COPA": ["super_glue_copa_v102/accuracy"],
    "MultiRC": ["super_glue_multirc_v102/f1", "super_glue_multirc_v102/exact_match"],
    "ReCoRD": ["super_glue_record_v102/em", "super_glue_record_v102/f1"],
    "RTE": ["super_glue_rte_v102/accuracy"],
    "WiC": ["super_glue_wic_v102/accuracy"],
    "WSC": ["super_glue_wsc_v102_simple_eval/accuracy"],
}


def glue_average(metrics: Mapping[str, float]) -> float:
    """The GLUE score without WNLI (Raffel et al. 2020, section 2.3).

    `metrics` is {"<task>/<metric>": value}; entries that do not belong to GLUE are not looked at. A
    task of several metrics, and MNLI with its two sets, counts by their mean. Raises UserError
    naming what is missing.
    """
    return _average(metrics, _GLUE, "GLUE")


def super_glue_average(metrics: Mapping[str, float]) -> float:
    """The SuperGLUE score, likewise."""
    return _average(metrics, _SUPER_GLUE, "SuperGLUE")


def benchmark_averages(metrics: Mapping[str, float]) -> dict[str, float]:
    """The GLUE and SuperGLUE scores, as "glue_average" and "super_glue_average", where complete.

    Those of the variants in bytes and with a sentinel, too: "byt5_glue_average".
    """
    found = {}
    for before, after in itertools.product(("", "byt5_"), ("", "_1_sentinel")):
        own = {
            f"{task.removeprefix(before).replace(after, '', 1)}/{metric}": value
            for task, _, metric, value in ((*k.partition("/"), v) for k, v in metrics.items())
            if task.startswith(before) and after in task  # "..._simple_1_sentinel_eval"
        }
        for name, members in {"glue": _GLUE, "super_glue": _SUPER_GLUE}.items():
            if not _missing(own, members):
                found[f"{before}{name}_average{after}"] = _mean_of_means(own, members)
    return found


def _missing(metrics: Mapping[str, float], groups: Mapping[str, list[str]]) -> list[str]:
    return sorted({name for names in groups.values() for name in names} - set(metrics))


def _mean_of_means(metrics: Mapping[str, float], groups: Mapping[str, list[str]]) -> float:
    return float(np.mean([np.mean([metrics[n] for n in names]) for names in groups.values()]))


def _average(
    metrics: Mapping[str, float], groups: Mapping[str, list[str]], benchmark: str
) -> float:
    if missing := _missing(metrics, groups):
        raise UserError(f"The {benchmark} average lacks {', '.join(missing)}.")
    return _mean_of_means(metrics, groups)
