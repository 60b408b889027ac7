"""What is known of targets before a model is asked."""

import pytest

from t2t.data.evaluation_set import EvaluationSet
from t2t.data.sources import InMemoryDataSource
from t2t.data.tasks import Task
from t2t.evaluation.metrics import accuracy, mean_group_metric
from t2t.evaluation.postprocessors import multirc
from t2t.evaluation.references import References
from t2t.training.host_rows import HostRows
from t2t.training.partitioning import MeshShape

ANSWERS = [
    {"inputs": f"answer {i}", "targets": "True", "idx/question": i // 5, "label": i % 2 - 1}
    for i in range(20)
]


@pytest.fixture
def references(byte_features):
    def make(examples, num_examples=None, **fields):
        fields = {"postprocess_fn": multirc, "metric_fns": (mean_group_metric(accuracy),), **fields}
        task = Task("t", InMemoryDataSource({"validation": examples}), byte_features, **fields)
        found = EvaluationSet(task, "validation", {"inputs": 8, "targets": 8}, num_examples)
        return References(found, HostRows(MeshShape().mesh()))

    return make


def test_parts_of_groups_are_told(references, caplog):
    assert [target["group"] for target in references(ANSWERS).targets] == sorted([0, 1, 2, 3] * 5)
    assert not caplog.text
    assert len(references(ANSWERS, 6).targets) == 6
    assert "only 6 of 20 examples are evaluated, so that groups are incomplete" in caplog.text


def test_groups_that_are_made_of_one_example_are_whole(references, caplog):
    def twice(example):
        return [example] * 2

    questions = ANSWERS[::5]
    assert len(references(questions, 4, preprocessors=(twice,)).targets) == 4
    assert not caplog.text


@pytest.mark.parametrize(
    ("examples", "are_labelled"),
    [
        (ANSWERS, True),
        (ANSWERS[::2], False),  # labels of -1
        ([{"inputs": "a", "targets": "<unk>"}, {"inputs": "b", "targets": "x"}], True),
        ([{"inputs": "a", "targets": "<unk>"}, {"inputs": "b", "targets": ""}], False),
        ([{"inputs": "a", "targets": "x", "is_correct": False}], False),
    ],
)
def test_one_known_target_is_enough(references, examples, are_labelled, caplog):
    assert references(examples).are_labelled == are_labelled
    assert ("so there are no metrics" in caplog.text) != are_labelled
