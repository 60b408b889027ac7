import json
import pickle

import numpy as np
import pytest

from t2t.data.sources import InMemoryDataSource, JsonLinesDataSource, by_field
from t2t.data.sources.by_field import ByFieldDataSource, FieldIndex
from t2t.errors import UserError

EXAMPLES = [{"task": f"t{i % 3}", "n": i} for i in range(10)]


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setenv("T2T_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "all.jsonl"
    path.write_text("".join(json.dumps(e) + "\n" for e in EXAMPLES))
    return path


def numbers(source, split="train"):
    examples = source.examples(split)
    return [examples[i]["n"] for i in range(len(examples))]


def test_each_value_has_its_examples_in_order():
    index = FieldIndex(InMemoryDataSource({"train": EXAMPLES, "test": EXAMPLES[:2]}), "task")
    assert list(index["train"]) == ["t0", "t1", "t2"]
    assert numbers(ByFieldDataSource(index, "t1")) == [1, 4, 7]
    assert numbers(ByFieldDataSource(index, "t1"), "test") == [1]
    assert ByFieldDataSource(index, "t1").splits == ("train", "test")


def test_values_that_are_no_text_go_by_how_they_are_written():
    index = FieldIndex(InMemoryDataSource({"train": EXAMPLES}), "n")
    assert numbers(ByFieldDataSource(index, "7")) == [7]


def test_a_large_split_is_read_once_and_its_index_kept(path, monkeypatch):
    monkeypatch.setattr(by_field, "_KEPT_FROM", 5)
    expected = FieldIndex(JsonLinesDataSource({"train": str(path)}), "task")._find(EXAMPLES)
    for _ in range(2):
        index = FieldIndex(JsonLinesDataSource({"train": str(path)}), "task")
        for value, indices in index["train"].items():
            np.testing.assert_array_equal(indices, expected[value])
        assert set(index["train"]) == set(expected)
        monkeypatch.setattr(FieldIndex, "_find", None)
    monkeypatch.undo()


def test_a_skipped_record_belongs_to_no_value(path):
    path.write_text(path.read_text() + "no json\n")
    index = FieldIndex(JsonLinesDataSource({"train": str(path)}, on_bad_record="skip"), "task")
    source = ByFieldDataSource(index, "t0")
    assert numbers(source) == [0, 3, 6, 9]
    assert len(source.skipped) == 1


def test_fingerprints_differ_by_value_and_it_pickles(path):
    index = FieldIndex(JsonLinesDataSource({"train": str(path)}), "task")
    first, second = (ByFieldDataSource(index, value) for value in ("t0", "t1"))
    assert first.fingerprint("train") != second.fingerprint("train")
    assert first.files("train") == (path,)
    assert numbers(first) == numbers(pickle.loads(pickle.dumps(first)))


def test_what_is_not_there_is_named():
    index = FieldIndex(InMemoryDataSource({"train": EXAMPLES}), "task")
    with pytest.raises(
        UserError, match=r"No example of the split 'train' has the task 'tt0'.*'t0'"
    ):
        ByFieldDataSource(index, "tt0").examples("train")
    with pytest.raises(UserError, match=r"Example 1 has no field 'tsk'"):
        FieldIndex(InMemoryDataSource({"train": EXAMPLES}), "tsk")["train"]
    with pytest.raises(UserError, match="no split 'test'"):
        ByFieldDataSource(index, "t0").fingerprint("test")


def test_an_unwritable_cache_folder_is_named(path, monkeypatch):
    monkeypatch.setattr(by_field, "_KEPT_FROM", 5)
    (path.parent / "cache").write_text("a file")
    with pytest.raises(UserError, match=r"cannot be written to .*Set T2T_CACHE_DIR"):
        FieldIndex(JsonLinesDataSource({"train": str(path)}), "task")["train"]
