import re

import numpy as np
import pytest

from t2t.data.features import Feature
from t2t.data.objectives import SpanCorruption
from t2t.data.preprocessors import rekey, text_to_text
from t2t.data.randomness import generator
from t2t.data.sources import InMemoryDataSource
from t2t.data.tasks import Task
from t2t.data.vocabularies import ByteVocabulary
from t2t.errors import UserError

LENGTHS = {"inputs": 8, "targets": 4}


def uint64(*values):
    return np.array(values, np.uint64)


def test_rows_are_tokens_with_ends_within_the_lengths(make_task):
    task = make_task(
        examples=[{"inputs": "abcdefghij", "targets": "xyz"}, {"inputs": "a", "targets": ""}]
    )
    long, short = task.rows("train", LENGTHS).tokens([0, 1], uint64(0, 0))
    decode = task.output_features["inputs"].vocabulary.decode
    assert decode(long["inputs"]) == "abcdefg"
    assert long["inputs"].tolist()[-1] == 1
    assert long["targets"].tolist() == [123, 124, 125, 1]
    assert (short["inputs"].tolist(), short["targets"].tolist()) == ([100, 1], [1])
    assert long["inputs"].dtype == long["targets"].dtype == np.int32


def test_each_feature_has_its_own_vocabulary_and_end():
    features = {
        "inputs": Feature(ByteVocabulary(), add_eos=False),
        "targets": Feature(ByteVocabulary(extra_ids=5)),
    }
    task = Task("t", InMemoryDataSource({"train": [{"inputs": "a", "targets": "b"}]}), features)
    [example] = task.rows("train", LENGTHS).tokens([0], uint64(0))
    assert example["inputs"].tolist() == [100]
    assert example["targets"].tolist() == [101, 1]


def test_rows_are_read_in_any_order_and_number(make_task):
    rows = make_task("x", 50).rows("train", {"inputs": 8, "targets": 8})
    decode = ByteVocabulary().decode
    examples = rows.tokens([49, 3, 3], uint64(1, 2, 3))
    assert [decode(e["targets"]) for e in examples] == ["x49", "x3", "x3"]


def test_sizes_and_splits(make_task):
    task = make_task(examples=50, split="validation")
    assert task.splits == ("validation",)
    assert task.num_input_examples("validation") == 50
    assert len(task.rows("validation", LENGTHS)) == 50


def test_preprocessed_strings_keep_other_fields(make_task):
    task = make_task(
        examples=[{"wrong": "teh", "right": "the"}],
        preprocessors=(text_to_text("fix: {wrong}", "{right}"),),
    )
    text = task.rows("train", LENGTHS).text(0, key=0)
    assert text == {"wrong": "teh", "right": "the", "inputs": "fix: teh", "targets": "the"}


def test_random_preprocessors_follow_the_key_of_the_row(make_task):
    def scramble(example, rng):
        return {"inputs": str(rng.integers(10**6)), "targets": example["targets"]}

    rows = make_task(examples=5, preprocessors=(scramble,)).rows("train", LENGTHS)
    first, again, other = (e["inputs"].tolist() for e in rows.tokens([1, 1, 1], uint64(7, 7, 8)))
    assert first == again != other


def test_objective_rows_are_segments_of_the_joined_documents(make_task):
    task = make_task(
        examples=[{"text": "abcdefgh" * 50}, {"text": "stuvwxyz" * 20}],
        preprocessors=(rekey({"targets": "text"}),),
        objective=SpanCorruption(),
    )
    rows = task.rows("train", {"inputs": 64, "targets": 20})
    assert len(rows) == 8  # 560 bytes in segments of 70
    examples = rows.tokens(range(8), np.arange(8, dtype=np.uint64))
    kept = sum(3 <= t < 259 for e in examples for name in e for t in e[name])
    assert kept == 560
    assert task.num_input_examples() == 2


def test_objective_failures_name_the_task(make_task):
    task = make_task("web", [{"targets": "abc"}], objective=SpanCorruption())
    with pytest.raises(UserError, match=r"^Task 'web': Expected targets length .*\(14\).*\(4\)"):
        len(task.rows("train", {"inputs": 64, "targets": 4}))


@pytest.mark.parametrize("missing", ["inputs", "targets"])
def test_a_task_needs_inputs_and_targets(missing, byte_features):
    del byte_features[missing]
    with pytest.raises(UserError, match=rf"Task 'half' lacks output features \['{missing}'\]"):
        Task("half", InMemoryDataSource({}), byte_features)


@pytest.mark.parametrize(
    ("example", "objective", "expected"),
    [
        ({"inputs": "a"}, None, "'targets' is NoneType"),
        ({"inputs": 3, "targets": "b"}, None, "'inputs' is int"),
        ({"inputs": "a", "targets": b"b"}, None, "'targets' is bytes"),
        ({"inputs": "a"}, SpanCorruption(), "'targets' is NoneType"),
    ],
)
def test_what_is_no_string_is_named_with_task_and_feature(make_task, example, objective, expected):
    task = make_task("odd", [example], objective=objective)
    with pytest.raises(UserError) as error:
        task.text_example(example, generator(0))
    assert str(error.value) == f"Task 'odd': after preprocessing, {expected}, not a string."


def test_an_objective_needs_no_inputs(make_task):
    task = make_task("web", 1, objective=SpanCorruption())
    assert task.text_example({"targets": "text"}, generator(0)) == {"targets": "text"}


def test_preprocessor_failures_name_the_task(make_task):
    task = make_task("web", [{"text": "a"}], preprocessors=(rekey({"targets": "txt"}),))
    expected = "Task 'web': An example has no field 'txt', only 'text'. Did you mean 'text'?"
    with pytest.raises(UserError, match=f"^{re.escape(expected)}$"):
        task.rows("train", LENGTHS).text(0, key=0)


def test_unknown_split_names_the_task_once_and_the_nearest_split(make_task):
    task = make_task("web", 3, split="validation")
    with pytest.raises(UserError, match=r"^Task 'web': There is no split 'valid'.*") as error:
        task.rows("valid", LENGTHS)
    assert str(error.value).count("web") == 1
    assert str(error.value).endswith("Did you mean 'validation'?")


def test_empty_split_is_named(make_task):
    with pytest.raises(UserError, match="Task 'web': split 'train' has no examples"):
        make_task("web", []).rows("train", LENGTHS)


def test_documents_without_text_are_named(make_task):
    task = make_task("web", [{"targets": ""}, {"targets": "a"}], objective=SpanCorruption())
    with pytest.raises(UserError, match="Task 'web'"):
        len(task.rows("train", {"inputs": 64, "targets": 20}))


def test_postprocess_is_the_text_unless_a_function_is_given(make_task):
    assert make_task().postprocess("7", {}, is_target=True) == "7"
    task = make_task(
        postprocess_fn=lambda text, example, is_target: (int(text), example["id"], is_target)
    )
    assert task.postprocess("7", {"id": 3}, is_target=False) == (7, 3, False)
