import functools

import numpy as np
import pytest

from t2t.data.sources import InMemoryDataSource
from t2t.data.tasks import Task
from t2t.errors import UserError
from t2t.evaluation.metrics import (
    accuracy,
    bleu,
    edit_distance,
    exact_match,
    f1_score_with_invalid,
    mean_metric,
    rouge_mean,
    sequence_accuracy,
)
from t2t.evaluation.task_metrics import task_metrics

TARGETS, PREDICTIONS = ["a b", "c"], ["a b", "d"]


def own_metric(targets, predictions):
    return {"own": float(sum(t == p for t, p in zip(targets, predictions)))}  # noqa: B905


def mean_score(targets, scores):
    return {"mean_score": sum(scores) / len(scores)}


@pytest.fixture
def make(byte_features):
    def task(*metric_fns):
        source = InMemoryDataSource({"train": [{}]})
        return Task("words", source, byte_features, metric_fns=metric_fns)

    return task


def test_each_kind_gets_its_outputs(make):
    task = make(exact_match, mean_score, sequence_accuracy)
    outputs = {"predict": PREDICTIONS, "score": [-1.0, -3.0]}
    metrics, values, _ = task_metrics(task, TARGETS, outputs)
    assert metrics == {"exact_match": 0.5, "mean_score": -2.0, "sequence_accuracy": 50.0}
    assert {name: v.values.tolist() for name, v in values.items()} == {
        "exact_match": [1, 0],
        "sequence_accuracy": [100, 0],
    }
    del outputs["score"]
    assert set(task_metrics(task, TARGETS, outputs)[0]) == {"exact_match", "sequence_accuracy"}


def test_means_of_what_comes_with_predictions(make):
    @mean_metric
    def sure_and_right(targets, predictions, aux_values):
        return {"sure": np.exp(aux_values["scores"]) * (np.array(targets) == predictions)}

    answers = [(text, {"scores": 0.0}) for text in PREDICTIONS]
    metrics, values, _ = task_metrics(make(sure_and_right), TARGETS, {"predict_with_aux": answers})
    assert metrics == {"sure": 0.5}
    assert values["sure"].values.tolist() == [1, 0]


def test_the_time_to_load_a_library_does_not_cost_the_interval(make, tmp_path, monkeypatch):
    (tmp_path / "slow_to_load.py").write_text("import time\ntime.sleep(0.1)\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    def quick(targets, predictions):
        import slow_to_load  # noqa: F401

        return {"quick": 1.0}

    (found,) = task_metrics(make(quick), TARGETS, {"predict": PREDICTIONS}, budget=1.0).resamplings
    assert found.samples > 0


def test_partials_of_means_keep_their_values(make):
    once = functools.partial(rouge_mean, score_keys=["rouge1", "rouge2"])
    metrics, values, _ = task_metrics(
        make(functools.partial(once, score_keys=["rouge1"])), TARGETS, {"predict": PREDICTIONS}
    )
    assert metrics == {"rouge1": 50}
    assert values["rouge1"].values.tolist() == [100, 0]


def test_a_mean_among_other_values(make):
    metrics, values, _ = task_metrics(make(edit_distance), TARGETS, {"predict": PREDICTIONS})
    assert metrics["max_edit"] == 1
    assert list(values) == ["mean_edit"]


def test_numbers_of_any_type_become_floats(make):
    metrics, values, _ = task_metrics(make(f1_score_with_invalid), [1, 0], {"predict": [1, 0]})
    assert metrics == {"f1": 100.0}
    assert values == {}


def test_a_name_given_twice(make):
    def another(targets, predictions):
        return {"accuracy": 0.0}

    with pytest.raises(
        UserError,
        match=r"Task 'words': metric .*another gives 'accuracy', which accuracy gives too",
    ):
        task_metrics(make(accuracy, another), TARGETS, {"predict": PREDICTIONS})


def test_names_of_the_evaluator(make):
    def loss(targets, predictions):
        return {"loss": 0.0}

    with pytest.raises(UserError, match="gives 'loss', which the evaluator gives too"):
        task_metrics(make(loss), TARGETS, {"predict": PREDICTIONS})


def test_failures_name_task_and_metric(make):
    def broken(targets, predictions):
        return {"broken": 1 / 0}

    with pytest.raises(
        UserError,
        match=r"Task 'words': metric .*broken failed: ZeroDivisionError: division by zero",
    ):
        task_metrics(make(broken), TARGETS, {"predict": PREDICTIONS})


@pytest.mark.parametrize("metric", [exact_match, bleu, f1_score_with_invalid, own_metric])
def test_empty_and_unequal_lists_whatever_the_metric(make, metric):
    with pytest.raises(UserError, match=r"Task 'words': .*was given 2 targets and 1 predictions"):
        task_metrics(make(metric), TARGETS, {"predict": ["a"]})
    with pytest.raises(UserError, match=r"Task 'words': .*was given no examples"):
        task_metrics(make(metric), [], {"predict": []})


def test_results_must_be_numbers_by_name(make):
    with pytest.raises(UserError, match=r"failed: it returned 3.0 instead of {name: value}"):
        task_metrics(make(lambda targets, predictions: 3.0), TARGETS, {"predict": PREDICTIONS})
