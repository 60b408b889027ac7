import numpy as np
import pytest

from t2t.data.features import Feature
from t2t.data.objectives import SpanCorruption, TokenDeletion
from t2t.data.preprocessors import CacheDatasetPlaceholder, rekey
from t2t.data.rows import BlockRows, SegmentRows, open_rows, opening
from t2t.data.sources import InMemoryDataSource, JsonLinesDataSource, TruncatedDataSource
from t2t.data.tasks import Task
from t2t.data.vocabularies import ByteVocabulary, PassThroughVocabulary
from t2t.errors import UserError

LENGTHS = {"inputs": 8, "targets": 4}
decode = ByteVocabulary(extra_ids=100).decode


def uint64(*values):
    return np.array(values, np.uint64)


def tokens(rows, indices, keys=None):
    """Token examples of rows, each row's in a list."""
    keys = uint64(*range(len(indices))) if keys is None else keys
    groups = rows.units(indices, keys)
    pairs = zip(groups, keys, strict=True)
    return [rows.examples(group, np.full(len(group), key)) for group, key in pairs]


def corpus(make_task, **fields):
    texts = [{"text": "abcdefgh" * 50}, {"text": "stuvwxyz" * 20}]
    fields = {
        "objective": SpanCorruption(),
        "preprocessors": (rekey({"targets": "text"}),),
    } | fields
    return make_task(examples=texts, **fields)


def test_rows_are_tokens_with_ends_within_the_lengths(make_task):
    examples = [{"inputs": "abcdefghij", "targets": "xyz"}, {"inputs": "a", "targets": ""}]
    [long], [short] = tokens(open_rows(make_task(examples=examples), "train", LENGTHS), [0, 1])
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
    [[example]] = tokens(open_rows(task, "train", LENGTHS), [0])
    assert example["inputs"].tolist() == [100]
    assert example["targets"].tolist() == [101, 1]


def test_rows_are_read_in_any_order_and_number(make_task):
    rows = open_rows(make_task("x", 50), "train", {"inputs": 8, "targets": 8})
    assert [decode(e["targets"]) for [e] in tokens(rows, [49, 3, 3])] == ["x49", "x3", "x3"]


def test_random_preprocessors_follow_the_key_of_the_row(make_task):
    def scramble(example, rng):
        return {"inputs": str(rng.integers(10**6)), "targets": example["targets"]}

    rows = open_rows(make_task(examples=5, preprocessors=(scramble,)), "train", LENGTHS)
    made = [e["inputs"].tolist() for [e] in tokens(rows, [1, 1, 1], uint64(7, 7, 8))]
    assert made[0] == made[1] != made[2]


def test_preprocessors_may_drop_and_multiply(make_task):
    def words(example):
        return [{"inputs": "", "targets": w} for w in example["targets"].split()]

    texts = [{"targets": "ab cd"}, {"targets": ""}, {"targets": "ef"}]
    rows = open_rows(make_task(examples=texts, preprocessors=(words,)), "train", LENGTHS)
    made = [[decode(e["targets"]) for e in group] for group in tokens(rows, [0, 1, 2])]
    assert made == [["ab", "cd"], [], ["ef"]]


def test_skipped_records_give_nothing(make_task):
    rows = open_rows(make_task(examples=[None, {"inputs": "", "targets": "a"}]), "train", LENGTHS)
    assert [len(group) for group in tokens(rows, [0, 1])] == [0, 1]


def test_preprocessors_may_ask_for_the_lengths(make_task):
    def fill(example, sequence_length, output_features):
        assert set(output_features) == {"inputs", "targets"}
        return {**example, "targets": "x" * (sequence_length["targets"] - 1)}

    rows = open_rows(make_task(examples=1, preprocessors=(fill,)), "train", LENGTHS)
    [[example]] = tokens(rows, [0])
    assert decode(example["targets"]) == "xxx"


def test_arrays_are_cut_but_not_ended(make_task):
    made = {"inputs": np.arange(3, 20), "targets": np.array([7, 8])}
    rows = open_rows(make_task(examples=[made]), "train", LENGTHS)
    [[example]] = tokens(rows, [0])
    assert example["inputs"].tolist() == list(range(3, 11))
    assert example["targets"].tolist() == [7, 8]
    assert example["targets"].dtype == np.int32


@pytest.mark.parametrize("bad", [np.zeros((2, 2), np.int32), np.zeros(2), [1, "a"]])
def test_arrays_of_another_kind_name_task_and_feature(make_task, bad):
    task = make_task("t", [{"inputs": "", "targets": bad}])
    with pytest.raises(UserError, match=r"Task 't': feature 'targets' is an array of .* must be"):
        tokens(open_rows(task, "train", LENGTHS), [0])


@pytest.mark.parametrize("objective", [None, SpanCorruption()])
def test_a_list_of_texts_is_told_with_file_and_line(objective, tmp_path):
    path = tmp_path / "mine.jsonl"
    one = '{"inputs": "a", "targets": "b"}\n'
    path.write_text(f'{one}\n{one * 99}{{"inputs": "a", "targets": ["yes", "no"]}}\n{one}')
    source = TruncatedDataSource(JsonLinesDataSource({"train": str(path)}), {"train": 101})
    feature = Feature(ByteVocabulary(extra_ids=5))
    features = {"inputs": feature, "targets": feature}
    task = Task("mine", source, features, objective=objective)
    message = (
        r"^Task 'mine': after preprocessing, 'targets' is a list of texts, \['yes', 'no'\]; it "
        rf"must be one text, .* \(JSON Lines file '{path}', line 102\)$"
    )
    with pytest.raises(UserError, match=message):
        open_rows(task, "train", {"inputs": 8, "targets": 8}).units([100], uint64(0))


def test_objective_rows_are_segments_of_the_joined_documents(make_task):
    rows = open_rows(corpus(make_task), "train", {"inputs": 64, "targets": 20})
    assert isinstance(rows, SegmentRows)
    assert len(rows) == 8  # 560 bytes in segments of 70
    examples = [e for [e] in tokens(rows, range(8))]
    assert sum(3 <= t < 259 for e in examples for name in e for t in e[name]) == 560


def test_large_corpora_are_read_by_blocks_of_documents(make_task, monkeypatch):
    monkeypatch.setattr(opening, "IN_MEMORY_BYTES", 1000)
    monkeypatch.setattr(opening, "_BLOCK_BYTES", 1000)
    texts = [{"targets": f"{i:04d} " * 60} for i in range(20)]
    task = make_task(examples=texts, objective=SpanCorruption())
    rows = open_rows(task, "train", {"inputs": 64, "targets": 20})
    assert isinstance(rows, BlockRows)
    assert len(rows) == 7  # blocks of 3 documents of 300 bytes, 900 bytes in 13 segments
    groups = tokens(rows, range(7))
    assert [len(group) for group in groups] == [13] * 6 + [9]
    kept = sum(3 <= t < 259 for group in groups for e in group for name in e for t in e[name])
    assert kept == 6000
    again, other = (tokens(rows, [2], uint64(key)) for key in (2, 3))
    assert str(again[0]) == str(groups[2])
    assert str(other[0]) != str(groups[2])


def test_partners_are_other_segments(make_task):
    segmentation = SpanCorruption().segmentation

    class Paired(SpanCorruption):
        def segmentation(self, *arguments):
            import dataclasses

            return dataclasses.replace(segmentation(*arguments), with_partner=True)

    rows = open_rows(corpus(make_task, objective=Paired()), "train", {"inputs": 64, "targets": 20})
    units = [unit for [unit] in rows.units([3] * 50, uint64(*range(50)))]
    assert len({first.tobytes() for first, _ in units}) == 1
    assert len({second.tobytes() for _, second in units}) > 3


def test_objective_failures_name_the_task(make_task):
    task = make_task("web", [{"targets": "abc"}], objective=SpanCorruption())
    with pytest.raises(UserError, match=r"^Task 'web': Expected targets length .*\(14\).*\(4\)"):
        open_rows(task, "train", {"inputs": 64, "targets": 4})


def test_empty_split_is_named(make_task):
    with pytest.raises(UserError, match="Task 'web': split 'train' has no examples"):
        open_rows(make_task("web", []), "train", LENGTHS)


def test_documents_without_text_are_named(make_task):
    task = make_task("web", [{"targets": ""}, {"targets": "a"}], objective=SpanCorruption())
    with pytest.raises(UserError, match="Task 'web': its texts are too short"):
        open_rows(task, "train", {"inputs": 64, "targets": 20})


@pytest.mark.parametrize("length", [0, -1, None])
def test_a_length_below_one_is_named(make_task, length):
    with pytest.raises(UserError, match="Task 't': the sequence length of feature 'targets' is"):
        open_rows(make_task("t"), "train", {"inputs": 8, "targets": length})


def test_random_preprocessors_draw_independently_before_and_after_the_placeholder(make_task):
    def drawn(example, rng):
        return [{"inputs": "", "targets": f"{rng.integers(10**9):09d}"}] * 2

    def drawn_again(example, rng):
        return {**example, "inputs": np.array([ord(c) + 3 for c in f"{rng.integers(10**9):09d}"])}

    task = make_task(preprocessors=(drawn, CacheDatasetPlaceholder(), drawn_again))
    [examples] = tokens(open_rows(task, "train", {"inputs": 16, "targets": 16}), [0])
    numbers = [decode(example[name]) for example in examples for name in ("inputs", "targets")]
    assert numbers[1] == numbers[3]  # what both were made of
    assert len(set(numbers)) == 3


def test_features_without_a_sequence_length_are_whole(make_task, byte_features):
    note = Feature(ByteVocabulary(extra_ids=100), required=False)
    examples = [{"inputs": "", "targets": "abcdefgh", "note": "abcdefgh"}]
    task = make_task(examples=examples, output_features={**byte_features, "note": note})
    [[example]] = tokens(open_rows(task, "train", LENGTHS), [0])
    assert (decode(example["targets"]), decode(example["note"])) == ("abc", "abcdefgh")


class WithoutEnd(ByteVocabulary):
    eos_id = None


def test_an_objective_needs_the_end_of_sequence_that_features_ask_for(make_task):
    features = dict.fromkeys(("inputs", "targets"), Feature(WithoutEnd()))
    texts = [{"targets": "some text"}]
    task = make_task("t", texts, output_features=features, objective=TokenDeletion())
    with pytest.raises(UserError, match=r"Task 't': .* has no end of sequence; .* add_eos=False"):
        open_rows(task, "train", LENGTHS)


def test_text_where_ids_are_expected_names_the_task(make_task):
    features = dict.fromkeys(("inputs", "targets"), Feature(PassThroughVocabulary(9), False))
    task = make_task("t", [{"inputs": "some text", "targets": "x"}], output_features=features)
    with pytest.raises(UserError, match=r"Task 't': .* takes ids, not text such as 'some text'"):
        open_rows(task, "train", LENGTHS)
