import re

import numpy as np
import pytest

from t2t.data.features import Feature
from t2t.data.objectives import CausalLanguageModel, LanguageModel, SpanCorruption
from t2t.data.preprocessors import CacheDatasetPlaceholder, rekey, text_to_text
from t2t.data.randomness import generator
from t2t.data.sources import InMemoryDataSource
from t2t.data.tasks import Task
from t2t.data.vocabularies import ByteVocabulary
from t2t.errors import UserError


def test_sizes_and_splits(make_task):
    task = make_task(examples=50, split="validation")
    assert task.splits == ("validation",)
    assert task.num_input_examples("validation") == 50


def test_preprocessed_strings_keep_other_fields(make_task):
    task = make_task(preprocessors=(text_to_text("fix: {wrong}", "{right}"),))
    raw = {"wrong": "teh", "right": "the"}
    [text] = task.preprocess(raw, generator(0))
    assert text == raw | {"inputs": "fix: teh", "targets": "the"}


def test_targets_are_needed(byte_features):
    del byte_features["targets"]
    with pytest.raises(UserError, match="Task 'half' lacks the output feature 'targets'"):
        Task("half", InMemoryDataSource({}), byte_features)


def test_a_language_model_task_has_no_inputs(make_task):
    feature = Feature(ByteVocabulary())
    task = make_task(output_features={"targets": feature})
    assert task.preprocess({"targets": "text"}, generator(0)) == [{"targets": "text"}]


def test_features_that_are_not_required_may_lack(make_task):
    feature = Feature(ByteVocabulary())
    optional = Feature(ByteVocabulary(), required=False)
    task = make_task(output_features={"targets": feature, "answers": optional})
    assert task.preprocess({"targets": "text"}, generator(0)) == [{"targets": "text"}]


@pytest.mark.parametrize(
    ("example", "objective", "expected"),
    [
        ({"inputs": "a"}, None, "there is no 'targets'. The raw example was {'inputs': 'a'}."),
        ({"inputs": 3, "targets": "b"}, None, "'inputs' is int, neither a string nor tokens"),
        ({"inputs": "a", "targets": b"b"}, None, "'targets' is bytes, neither a string nor"),
        ({"inputs": "a", "targets": None}, None, "'targets' is NoneType, neither"),
        ({"inputs": "a", "targets": ["b", "c"]}, None, "'targets' is a list of texts, ['b', 'c'];"),
        ({"inputs": np.array(["a"]), "targets": "b"}, None, "'inputs' is a list of texts, array("),
        ({"targets": np.array([b"a"], object)}, SpanCorruption(), "'targets' is a list of texts"),
        ({"inputs": "a"}, SpanCorruption(), "there is no 'targets'"),
    ],
)
def test_what_is_no_text_is_named_with_task_and_feature(make_task, example, objective, expected):
    task = make_task("odd", [example], objective=objective)
    with pytest.raises(UserError) as error:
        task.preprocess(example, generator(0))
    assert str(error.value).startswith(f"Task 'odd': after preprocessing, {expected}")


def test_an_objective_needs_no_inputs(make_task):
    task = make_task("web", 1, objective=SpanCorruption())
    assert task.preprocess({"targets": "text"}, generator(0)) == [{"targets": "text"}]


def test_failures_name_task_stage_and_example(make_task):
    def shorten(example):
        return {"targets": example["text"][: example["limit"]]}

    task = make_task("web", [], preprocessors=(rekey({"text": "text", "limit": "limit"}), shorten))
    with pytest.raises(UserError) as error:
        task.preprocess({"text": "a", "limit": "3"}, generator(0))
    assert str(error.value).startswith("Task 'web': preprocessor 2 of 2, test_failures")
    assert "failed on {'text': 'a', 'limit': '3'}: TypeError: slice indices" in str(error.value)


def test_missing_fields_name_the_nearest(make_task):
    task = make_task("web", [{"text": "a"}], preprocessors=(rekey({"targets": "txt"}),))
    expected = "An example has no field 'txt', only 'text'. Did you mean 'text'?"
    with pytest.raises(UserError, match=re.escape(expected)) as error:
        task.preprocess({"text": "a"}, generator(0))
    assert str(error.value).startswith("Task 'web': preprocessor 1 of 1, rekey, failed on")


def test_unknown_split_names_the_task_once_and_the_nearest_split(make_task):
    task = make_task("web", 3, split="validation")
    with pytest.raises(UserError, match=r"^Task 'web': There is no split 'valid'.*") as error:
        task.raw_examples("valid")
    assert str(error.value).count("web") == 1
    assert str(error.value).endswith("Did you mean 'validation'?")


def test_postprocess_is_the_text_unless_a_function_is_given(make_task):
    assert make_task().postprocess("7", {}, is_target=True) == "7"
    task = make_task(
        postprocess_fn=lambda text, example, is_target: (int(text), example["id"], is_target)
    )
    assert task.postprocess("7", {"id": 3}, is_target=False) == (7, 3, False)


def test_a_variant_has_other_fields(make_task):
    task = make_task("a", 3)
    features = {"targets": Feature(ByteVocabulary(extra_ids=3))}
    variant = task.replace(name="b", output_features=features)
    assert (variant.name, variant.output_features) == ("b", features)
    assert variant.source is task.source
    assert task.name == "a"


def test_the_placeholder_parts_the_chain(make_task):
    def later(example):
        return example

    chain = (rekey({"inputs": "a", "targets": "b"}), CacheDatasetPlaceholder(), later)
    task = make_task(preprocessors=chain)
    assert task.precache_preprocessors == chain[:1]
    assert task.postcache_preprocessors == chain[1:]
    assert task.preprocess({"a": "x", "b": "y"}, generator(0)) == [{"inputs": "x", "targets": "y"}]
    plain = make_task(preprocessors=chain[:1])
    assert plain.precache_preprocessors == chain[:1]
    assert plain.postcache_preprocessors == ()


def test_arrays_of_tokens_are_as_good_as_strings(make_task):
    tokens = {"inputs": np.array([5, 6]), "targets": [7, 1]}
    [example] = make_task().preprocess(tokens, generator(0))
    assert example is tokens


def test_an_objective_and_the_features_must_agree(make_task, byte_features):
    targets = {"targets": byte_features["targets"]}
    with pytest.raises(UserError, match=r"'t': SpanCorruption makes .*'inputs', 'targets', but"):
        make_task("t", objective=SpanCorruption(), output_features=targets)
    with pytest.raises(UserError, match=r"'t': CausalLanguageModel makes the features 'targets',"):
        make_task("t", objective=CausalLanguageModel(), output_features=byte_features)
    for features in (targets, byte_features):
        assert make_task("t", objective=LanguageModel(), output_features=features).objective
    assert make_task("t", objective=CausalLanguageModel(), output_features=targets).objective


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"source": ["a"]}, r"source is \['a'\]; it must be a DataSource"),
        ({"preprocessors": ("lower",)}, "preprocessor 'lower' is no function"),
        ({"objective": "span"}, "objective is 'span'; it must be an Objective"),
        (
            {"output_features": {"targets": ByteVocabulary()}},
            "'targets' is ByteVocabulary.*Feature",
        ),
    ],
)
def test_fields_of_another_kind_are_named_when_the_task_is_made(make_task, fields, problem):
    with pytest.raises(UserError, match=f"Task 't': .*{problem}"):
        make_task("t").replace(**fields)


def test_a_postprocess_function_that_fails_is_named(make_task):
    task = make_task("t", postprocess_fn=lambda text, example, is_target: int(text))
    with pytest.raises(UserError, match=r"Task 't': postprocess_fn failed on 'x': ValueError: "):
        task.postprocess("x", {}, is_target=False)
    task = make_task("t", postprocess_fn=lambda text: text)
    with pytest.raises(UserError, match="unexpected keyword argument 'example'"):
        task.postprocess("x", {}, is_target=True)
