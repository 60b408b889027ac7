import json
import math

import pytest

from t2t.errors import UserError
from t2t.evaluation.comparison import compare_records
from t2t.evaluation.confidence import Interval
from t2t.evaluation.result_files import check_writable, read_results, write_results
from t2t.evaluation.results import TaskResult

RESULT = TaskResult(
    2,
    {"accuracy": 50.0, "auc-roc": math.nan},
    {"accuracy": 0.0},
    ({"number": 0, "inputs": "é"}, {"number": 1}),
    {"accuracy": Interval(0.0, 100.0), "auc-roc": Interval(math.nan, math.nan)},
)


def test_what_is_written_is_read(tmp_path):
    write_results({"a:b": RESULT}, tmp_path, 7, {"split": "test"})
    (stored,) = read_results(tmp_path)
    assert (stored.step, stored.settings, stored.folder) == (7, {"split": "test"}, tmp_path)
    found = stored.results["a:b"]
    assert found.metrics["accuracy"] == 50.0
    assert math.isnan(found.metrics["auc-roc"])
    assert found.intervals == {"accuracy": Interval(0.0, 100.0)}
    assert stored.records("a:b") == list(RESULT.records)
    written = json.loads((tmp_path / "results-000007.json").read_text())
    assert written["metrics"] == {"a:b/accuracy": 50.0, "a:b/auc-roc": None}
    assert {path.name for path in tmp_path.iterdir()} == {"results-000007.json", "a:b-000007.jsonl"}


def test_what_json_has_no_number_for_is_null(tmp_path):
    record = {"number": 0, "score": math.nan, "metrics": {"f1": -math.inf}, "inputs": "NaN é"}
    write_results({"a": TaskResult(1, {}, {}, (record,))}, tmp_path, 1, {})
    (line,) = (tmp_path / "a-000001.jsonl").read_text(encoding="utf-8").splitlines()
    assert line == '{"number": 0, "score": null, "metrics": {"f1": null}, "inputs": "NaN é"}'
    (stored,) = read_results(tmp_path)
    found = compare_records(stored.records("a"), stored.records("a"))
    assert [math.isnan(difference.first) for difference in found] == [True]


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path):
    broken = TaskResult(1, {}, {}, ({"number": object()},))
    with pytest.raises(TypeError):
        write_results({"a": RESULT, "b": broken}, tmp_path, 1, {})
    assert read_results(tmp_path) == []
    assert {path.name for path in tmp_path.iterdir()} == {"a-000001.jsonl"}  # whole


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "a-000001.jsonl").mkdir()
    with pytest.raises(UserError, match=r"Cannot write '.*a-000001.jsonl': Is a directory"):
        write_results({"a": RESULT}, tmp_path, 1, {})
    assert [path.name for path in tmp_path.iterdir()] == ["a-000001.jsonl"]


def test_files_that_are_no_results_are_passed_over(tmp_path):
    (tmp_path / "results-000001.json").write_text('{"step": 1')
    (tmp_path / "results-000002.json").write_text("[]")
    (tmp_path / "results-old.json").write_text("{}")
    assert read_results(tmp_path) == []
    assert read_results(tmp_path / "none") == []


def test_damaged_and_missing_records(tmp_path):
    write_results({"a": RESULT}, tmp_path, 1, {})
    (stored,) = read_results(tmp_path)
    (tmp_path / "a-000001.jsonl").write_text('{"number": 0}\n{"num')
    with pytest.raises(UserError, match=r"a-000001.jsonl' is damaged: .*Evaluate again"):
        stored.records("a")
    with pytest.raises(UserError, match=r"Cannot read '.*b-000001.jsonl': No such file"):
        stored.records("b")


def test_a_folder_that_cannot_be_made_or_written(tmp_path):
    check_writable(tmp_path / "new" / "deep")
    assert list((tmp_path / "new" / "deep").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be written to the folder '.*file': File exists"):
        check_writable(tmp_path / "file")
