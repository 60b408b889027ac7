import json
import pickle

import pytest

from t2t.data.sources.natural_instructions import NaturalInstructionsDataSource
from t2t.errors import UserError
from tests.data.sources.natural_instructions_clone import write_clone


@pytest.fixture
def clone(tmp_path):
    return write_clone(tmp_path / "natural-instructions")


def ids(examples):
    return [example["id"] for example in examples]


def test_splits_are_the_published_ones(clone):
    source = NaturalInstructionsDataSource(clone, max_instances=5, validation_instances=3)
    assert source.splits == ("train", "validation", "test")
    train, validation, test = (source.examples(split) for split in source.splits)
    assert [len(train), len(validation), len(test)] == [10, 6, 30]
    assert {e["task_name"] for e in train} == {"task1_counting", "task2_odd-one-out"}
    assert not set(ids(train)) & set(ids(validation))
    assert ids(test) == [f"task3_titles-{i}" for i in range(30)]
    few = NaturalInstructionsDataSource(clone, test_instances=4)
    assert ids(few.examples("test")) == [f"task3_titles-{i}" for i in range(4)]


def test_an_example_has_its_task_with_it(clone):
    example = NaturalInstructionsDataSource(clone).examples("test")[2]
    assert example == {
        "id": "task3_titles-2",
        "input": "What is 2?",
        "output": ["number 2", "no 2"],
        "task_name": "task3_titles",
        "definition": "Do what task 2 says.",
        "category": "Title Generation",
        "positive_examples": [
            {"input": "What is 7?", "output": "number 7", "explanation": "It is 7."}
        ],
        "negative_examples": [{"input": "What is 8?", "output": "what", "explanation": "No."}],
    }


def test_the_choice_follows_from_the_seed(clone):
    chosen = [
        ids(NaturalInstructionsDataSource(clone, max_instances=5, seed=seed).examples("train"))
        for seed in (0, 0, 1)
    ]
    assert chosen[0] == chosen[1] != chosen[2]


def test_all_instances_but_those_for_validation(clone):
    source = NaturalInstructionsDataSource(clone, max_instances=None, validation_instances=10)
    train, validation = ids(source.examples("train")), ids(source.examples("validation"))
    assert len(train) == 40
    assert len(set(train) | set(validation)) == 60
    small = NaturalInstructionsDataSource(clone, max_instances=100)
    assert len(small.examples("train")) == 60
    assert len(small.examples("validation")) == 0


def test_it_goes_to_other_processes(clone):
    source = NaturalInstructionsDataSource(clone)
    source.examples("train")
    assert len(pickle.loads(pickle.dumps(source)).examples("test")) == 30


def test_what_is_not_there_is_named_with_how_to_get_it(clone, monkeypatch):
    monkeypatch.setenv("T2T_DATA_DIR", str(clone.parent))
    assert len(NaturalInstructionsDataSource().examples("test")) == 30
    monkeypatch.setenv("T2T_DATA_DIR", str(clone.parent / "elsewhere"))
    with pytest.raises(UserError, match=r"`git clone .*natural-instructions .*elsewhere/natural"):
        NaturalInstructionsDataSource().examples("train")
    with pytest.raises(UserError, match=r"default, xlingual\. Did you mean 'default'"):
        NaturalInstructionsDataSource(clone, track="defalt").examples("train")
    (clone / "tasks" / "task3_titles.json").unlink()
    with pytest.raises(UserError, match=r"task3_titles.json' cannot be read: No such file"):
        NaturalInstructionsDataSource(clone).examples("test")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"Definition": ["cut o', "Unterminated string"),
        ('{"Definition": ["x"]}', "lacks 'Instances'"),
        ('{"Definition": [], "Instances": []}', "index out of range"),
        ("[]", "list indices"),
        (json.dumps({"Definition": "x", "Instances": [{"input": "i"}]}), "lacks 'output'"),
    ],
)
def test_a_damaged_task_is_named(clone, content, reason):
    (clone / "tasks" / "task1_counting.json").write_text(content)
    with pytest.raises(UserError, match=f"task1_counting.json' is no task of .*{reason}"):
        NaturalInstructionsDataSource(clone).examples("train")
