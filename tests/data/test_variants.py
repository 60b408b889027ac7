import numpy as np
import pytest

from t2t.data.mixtures import mixing_rates
from t2t.data.preprocessors import CacheDatasetPlaceholder, append_eos_after_trim, tokenize
from t2t.data.rows import open_rows
from t2t.data.variants import (
    sentinel_name,
    with_new_vocabulary,
    with_sentinels,
    with_truncated_data,
    without_missing_splits,
)
from t2t.data.vocabularies import ByteVocabulary
from t2t.errors import UserError


@pytest.fixture
def mixture(registries, make_task):
    tasks, mixtures = registries
    for name, split in {"v.a": "train", "v.b": "train", "v.c": "test"}.items():
        tasks.add_provider(name, make_task(name, 30, split=split))
    mixtures.add("v.inner", [("v.a", 1), ("v.c", 3)])
    return mixtures.add("v.mix", [("v.inner", 2), ("v.b", 2)])


def test_every_task_gets_the_vocabulary(mixture):
    vocabulary = ByteVocabulary(extra_ids=7)
    variant = with_new_vocabulary("v.mix", "v.new", vocabulary)
    assert [task.name for task in variant.tasks] == ["v.new.v.a", "v.new.v.c", "v.new.v.b"]
    assert all(
        f.vocabulary == vocabulary for t in variant.tasks for f in t.output_features.values()
    )
    assert list(mixing_rates(variant).values()) == list(mixing_rates(mixture).values())
    assert mixture.tasks[0].output_features["inputs"].vocabulary != vocabulary


def test_every_task_is_truncated(mixture):
    variant = with_truncated_data("v.mix", "v.small", {"train": 3})
    assert [t.num_input_examples(t.splits[0]) for t in variant.tasks] == [3, 30, 3]


def test_tasks_without_the_split_are_left_out(mixture):
    variant = without_missing_splits("v.mix", "v.train", "train")
    assert mixing_rates(variant) == {"v.a": 0.5, "v.b": 0.5}
    with pytest.raises(UserError, match=r"No task of mixture 'v.mix' has a split 'dev'"):
        without_missing_splits("v.mix", "v.dev", "dev")
    with pytest.raises(UserError, match=r"'v.a' is a task"):
        without_missing_splits("v.a", "v.x", "train")


def test_sentinels_stand_after_inputs_and_before_targets(mixture):
    task = with_sentinels("v.a", 2)
    assert task.name == "v_2_sentinel.a"
    rows = open_rows(task, "train", {"inputs": 8, "targets": 8})
    [[example]] = rows.units([5], np.zeros(1, np.uint64))
    assert example["inputs"].tolist() == [ord("5") + 3, 358, 357, 1]
    assert example["targets"][:3].tolist() == [358, 357, ord("v") + 3]
    assert example["targets"][-1] == 1


def test_predictions_lose_their_sentinels(mixture):
    task = with_sentinels("v.a")
    assert task.postprocess("<extra_id_0> yes", {}, is_target=False) == "yes"
    for text in ("no <extra_id_0>", "<extra_id_1> no", "<extra_id_0> <extra_id_1> no"):
        assert task.postprocess(text, {}, is_target=False) == text.removeprefix("<extra_id_0> ")
    both = with_sentinels("v.b", 2)
    assert both.postprocess("<extra_id_0> <extra_id_1> yes", {}, is_target=False) == "yes"
    assert both.postprocess("<extra_id_0> yes", {}, is_target=False) == "<extra_id_0> yes"


def test_a_chain_that_tokenises_ends_with_its_sentinels(registries, make_task):
    chain = (tokenize(), CacheDatasetPlaceholder(), append_eos_after_trim)
    registries[0].add_provider("v.t", make_task("v.t", 9, preprocessors=chain))
    rows = open_rows(with_sentinels("v.t"), "train", {"inputs": 8, "targets": 8})
    [[example]] = rows.units([5], np.zeros(1, np.uint64))
    assert example["inputs"].tolist() == [ord("5") + 3, 358, 1]
    assert example["targets"][[0, -1]].tolist() == [358, 1]


def test_sentinels_need_extra_ids_and_a_supervised_task(mixture):
    with pytest.raises(UserError, match="'inputs' needs a vocabulary with 101 extra_ids"):
        with_sentinels("v.a", 101)
    with pytest.raises(UserError, match=r"'v\.mix' is no supervised task"):
        with_sentinels("v.mix")


def test_a_name_that_is_taken_is_refused(mixture):
    with pytest.raises(UserError, match=r"Task 'v\.b' is already defined"):
        with_truncated_data("v.a", "v.b", {"train": 3})


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("a", "a_2_sentinel"),
        ("a_eval", "a_2_sentinel_eval"),
        ("a_train_b", "a_2_sentinel_train_b"),
        ("a.b_dev", "a.b_2_sentinel_dev"),
        ("a.b", "a_2_sentinel.b"),
    ],
)
def test_sentinels_are_named_in_front_of_the_split(name, variant):
    assert sentinel_name(name, 2) == variant


def test_inputs_that_are_cut_keep_their_sentinels(mixture):
    task = with_sentinels("v.a", 2)
    rows = open_rows(task, "train", {"inputs": 4, "targets": 4})
    [[example]] = rows.units([20], np.zeros(1, np.uint64))
    assert example["inputs"].tolist() == [ord("1") + 3, 358, 357, 1]
    assert example["targets"].tolist() == [358, 357, ord("v") + 3, 1]
