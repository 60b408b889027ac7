import functools

import numpy as np
import pytest

from t2t.data.evaluation_set import EvaluationSet
from t2t.data.objectives import SpanCorruption
from t2t.data.preprocessors import CacheDatasetPlaceholder
from t2t.data.vocabularies import ByteVocabulary
from t2t.errors import UserError

LENGTHS = {"inputs": 8, "targets": 8}


@pytest.fixture
def make_set(make_task):
    def make(examples, num_examples=None, seed=0, **fields):
        task = make_task("a", examples, split="validation", **fields)
        return EvaluationSet(task, "validation", LENGTHS, num_examples, seed)

    return make


def targets_of(batches):
    tokens = np.concatenate([batch["decoder_target_tokens"] for batch in batches])
    return [ByteVocabulary().decode(row) for row in tokens if row.any()]


@pytest.mark.parametrize(
    ("size", "num_examples", "expected"),
    [
        (5, None, [0, 1, 2, 3, 4]),
        (5, 9, [0, 1, 2, 3, 4]),
        (5, 5, [0, 1, 2, 3, 4]),
        (9, 5, [0, 2, 4, 6, 8]),
        (100, 3, [0, 50, 99]),
        (5, 1, [0]),
        (1, 3, [0]),
    ],
)
def test_rows_are_spread_evenly(make_set, size, num_examples, expected):
    assert make_set(size, num_examples).indices.tolist() == expected


@pytest.mark.parametrize("num_examples", [1, 2, 67, 98, 99, 100])
def test_no_row_is_taken_twice(make_set, num_examples):
    assert len(set(make_set(100, num_examples).indices.tolist())) == num_examples


def test_batches_hold_every_example_once_in_order(make_set):
    batches = list(make_set(10).batches(4))
    assert targets_of(batches) == [f"a{i}" for i in range(10)]
    assert {array.shape for batch in batches for array in batch.values()} == {(4, 8)}
    assert "decoder_segment_ids" not in batches[0]


def test_the_last_batch_is_filled_up_without_weight(make_set):
    *_, last = make_set(10).batches(4)
    assert all(array.dtype == np.int32 for array in last.values())
    assert not any(array[2:].any() for array in last.values())
    assert last["decoder_loss_weights"][:2].any(axis=1).all()


def test_longer_texts_are_cut(make_set):
    [batch] = make_set([{"inputs": "x" * 20, "targets": "y" * 20}]).batches(1)
    assert batch["encoder_input_tokens"][0].tolist() == [123] * 7 + [1]
    assert batch["decoder_target_tokens"][0].tolist() == [124] * 7 + [1]


def test_texts_match_the_batches(make_set):
    subset = make_set(50, 7)
    assert [text["targets"] for text in subset.texts()] == targets_of(subset.batches(2))
    assert len(subset.texts()) == 7


def test_each_row_is_read_once(make_set):
    read = []

    def noted(example):
        read.append(example["inputs"])
        return example

    found = make_set(50, 7, preprocessors=(noted,))
    _ = found.rows  # looks at some
    read.clear()
    assert len(found.texts()) == len(found.examples) == len(list(found.batches(1))) == 7
    assert len(read) == 7


def random_inputs(example, rng):
    return {"inputs": str(rng.integers(10**6)), "targets": example["targets"]}


def test_randomness_is_fixed_by_the_seed_whatever_the_batch_size(make_set):
    make = functools.partial(make_set, 10, preprocessors=(random_inputs,))

    def inputs(subset, batch_size):
        tokens = [b["encoder_input_tokens"] for b in subset.batches(batch_size)]
        return np.concatenate(tokens)[:10].tolist()

    subset = make()
    assert inputs(subset, 4) == inputs(subset, 4) == inputs(make(), 3)
    assert inputs(subset, 4) != inputs(make(seed=1), 4)
    drawn = [t["inputs"] for t in subset.texts()]
    assert len(set(drawn)) == 10
    assert [ByteVocabulary().decode(row) for row in inputs(subset, 4)] == drawn


def test_objectives_are_corrupted_the_same_on_every_call(make_task):
    task = make_task("web", [{"targets": "some text " * 40}], objective=SpanCorruption())
    first, second = (
        EvaluationSet(task, "train", {"inputs": 32, "targets": 16}, num_examples=3)
        for _ in range(2)
    )
    for ours, theirs in zip(first.batches(2), second.batches(2), strict=True):
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name])
    assert first.indices.tolist()[-1] == len(first.rows) - 1


def test_missing_split_names_task_and_nearest(make_set):
    subset = EvaluationSet(make_set(3).task, "validaton", LENGTHS)
    with pytest.raises(UserError, match=r"Task 'a': .*'validaton'.* Did you mean 'validation'\?"):
        list(subset.batches(2))


@pytest.mark.parametrize("num_examples", [None, 3, 5])
def test_texts_and_examples_agree_whatever_comes_after_the_placeholder(make_set, num_examples):
    def none_or_two(example):
        return [example] * (2 * (len(example["inputs"]) > 1))

    texts = [{"inputs": "a" * (i % 4), "targets": f"{i}"} for i in range(12)]
    chain = (CacheDatasetPlaceholder(), none_or_two)
    found = make_set(texts, num_examples, preprocessors=chain)
    pairs = list(zip(found.texts(), found.examples, strict=True))
    assert pairs
    assert all(ByteVocabulary().decode(e["targets"]) == text["targets"] for text, e in pairs)


def test_of_rows_that_hold_several_examples_only_some_are_read_from_everywhere(make_set):
    read = []

    def many(example):
        read.append(int(example["targets"].removeprefix("a")))
        return [example] * 50

    found = make_set(5000, 2000, preprocessors=(many,))
    _ = found.rows
    read.clear()
    assert len(found.examples) == 2000
    assert len(read) < 100
    assert min(read) < 1000
    assert max(read) > 4000
    targets = [ByteVocabulary().decode(e["targets"]) for e in found.examples]
    assert targets == sorted(targets, key=lambda text: int(text[1:]))
