import functools

import pytest

from t2t.data.sources import InMemoryDataSource
from t2t.data.tasks import Task
from t2t.errors import UserError
from t2t.evaluation.metrics import (
    accuracy,
    edit_distance,
    exact_match,
    f1_score_with_invalid,
    rouge_mean,
    sequence_accuracy,
)
from t2t.evaluation.task_metrics import task_metrics

TARGETS, PREDICTIONS = ["a b", "c"], ["a b", "d"]


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
    with pytest.raises(UserError, match="failed: metric exact_match was given 2 targets and 1"):
        task_metrics(make(exact_match), TARGETS, {"predict": ["a"]})


def test_results_must_be_numbers_by_name(make):
    with pytest.raises(UserError, match=r"failed: it returned 3.0 instead of {name: value}"):
        task_metrics(make(lambda targets, predictions: 3.0), TARGETS, {"predict": PREDICTIONS})
