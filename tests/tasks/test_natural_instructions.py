"""Super-NaturalInstructions: a clone of few tasks, TFDS's form of it, and a whole evaluation."""

import jax
import numpy as np
import pytest

from t2t.data.registry import TaskRegistry, import_shipped_tasks
from t2t.data.sources.natural_instructions import NaturalInstructionsDataSource
from t2t.evaluation.evaluator import Evaluator
from t2t.evaluation.policy import EvalPolicy
from t2t.models.definition import Model
from t2t.training.partitioning import MeshShape
from tests.data.sources.natural_instructions_clone import write_clone
from tests.tasks.prepared import prepare
from tests.training.conftest import TINY

END = "Now complete the following example -\nInput: What is 0?\nOutput: "
EXAMPLE = " Positive Example 1 -\nInput: What is 7?\n Output: number 7.\n\n"
NEGATIVE = " Negative Example 1 -\nInput: What is 8?\n Output: what.\n\n"


@pytest.fixture
def task_of(tmp_path, monkeypatch):
    """A registered task by name, reading a clone of its own."""
    write_clone(tmp_path / "natural-instructions")
    monkeypatch.setenv("T2T_DATA_DIR", str(tmp_path))
    import_shipped_tasks()

    def find(name):
        task = TaskRegistry.get(name)
        track = "xlingual" if "xlingual" in name else "default"
        return task.replace(source=NaturalInstructionsDataSource(track=track))

    return find


def made(task, split="test", key=0):
    example = task.raw_examples(split)[0]
    [made] = task.preprocess(example, rng=np.random.default_rng(key))
    return made


@pytest.mark.parametrize("prefix", ["", "byt5_"])
@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("natural_instructions", f"Definition: Do what task 2 says.\n\n{EXAMPLE}{END}"),
        ("natural_instructions_def", f"Definition: Do what task 2 says.\n\n{END}"),
        ("natural_instructions_xlingual", f"Definition: Do what task 2 says.\n\n{EXAMPLE}{END}"),
    ],
)
def test_strings(task_of, prefix, name, inputs):
    example = made(task_of(prefix + name))
    assert example["inputs"] == inputs
    assert example["targets"] in ("number 0", "no 0")
    assert example["references"] == ["number 0", "no 0"]


def test_tk_instruct_draws_its_prompts(task_of):
    task = task_of("natural_instructions_tk")
    inputs = {made(task, key=key)["inputs"] for key in range(60)}
    assert len(inputs) == 5
    assert EXAMPLE + END in inputs
    assert f"Definition: Do what task 2 says.\n\n{EXAMPLE}{NEGATIVE}{END}" in inputs


def test_a_hundred_instances_of_each_task(task_of):
    task = task_of("natural_instructions")
    assert [task.num_input_examples(s) for s in task.splits] == [60, 0, 30]


def test_metrics_take_all_references_and_tell_categories(task_of):
    task = task_of("natural_instructions")
    example = made(task)
    target = task.postprocess(example["targets"], example, is_target=True)
    for prediction, expected in (("No 0!", 100), ("something", 0)):
        predicted = task.postprocess(prediction, example, is_target=False)
        scores = {}
        for metric in task.metric_fns:
            scores |= metric([target], [predicted])
        names = ("rougeL", "exact_match", "rougeL_for_title_generation")
        assert scores == dict.fromkeys(names, expected)


def test_tfds_has_whole_tasks_held_out(tmp_path, monkeypatch):
    instances = [
        {
            "id": f"{task}-{i}",
            "input": f"What is {i}?",
            "output": f"number {i}",
            "source": "somewhere",
            "task_name": f"task{task:03d}_x",
            "definition": "Say it",
        }
        for task in range(60)
        for i in range(2)
    ]
    prepare(tmp_path, "natural_instructions:1.0.1", {"train": instances})
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    import_shipped_tasks()
    task = TaskRegistry.get("natural_instructions_tfds")
    train, validation = (
        [task.raw_examples(split)[i]["task_name"] for i in range(task.num_input_examples(split))]
        for split in ("train", "validation")
    )
    assert not set(train) & set(validation)
    assert (len(train) + len(validation), len(train) % 2) == (120, 0)
    example = made(task, "train")
    assert example["inputs"].startswith("Definition: Say it.\n\nNow complete the following example")
    assert example["references"] == [example["targets"]]
    found = task.postprocess(example["targets"], example, is_target=True)
    assert found == {"value": [example["targets"]], "category": ""}


def test_a_whole_evaluation(task_of, byte_features):
    task = task_of("byt5_natural_instructions").replace(output_features=byte_features)
    model = Model(TINY)
    params = jax.jit(lambda: model.init(jax.random.key(0)))()
    policy = EvalPolicy(split="test", num_examples=4, batch_size=8)
    lengths = {"inputs": 192, "targets": 12}
    evaluator = Evaluator(model, MeshShape().mesh(), task, lengths, policy)
    [result] = evaluator.evaluate(params).values()
    assert result.num_examples == 4
    assert {"loss", "rougeL", "exact_match", "rougeL_for_title_generation"} <= set(result.metrics)
    assert {"rougeL", "exact_match"} <= set(result.intervals)
    assert result.predictions[0]["inputs"].startswith("Definition: Do what task 2 says.")
    assert "Positive Example 1" in result.predictions[0]["inputs"]
