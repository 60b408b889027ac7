import gzip
import json
import os

import pytest

from t2t.decoding.prediction import Prediction
from t2t.errors import UserError
from t2t.reporting.inputs import FileInputs
from t2t.reporting.records import open_output, predicted_lines


def predict(items):
    for item in items:
        text = item.record["inputs"]
        yield [Prediction(f"{text}!\n\tx", -0.25, {"fills": [text]}), Prediction("b\tc", -1.5)]


def predicted(tmp_path, content, file_format="auto", **options):
    path = tmp_path / "in"
    path.write_text(content)
    return list(predicted_lines(iter(FileInputs([str(path)], file_format)), predict, **options))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["a! \tx", "! \tx"]),
        ({"scores": True}, ["-0.2500\ta!  x\t-1.5000\tb c", "-0.2500\t!  x\t-1.5000\tb c"]),
        ({"several": True}, ["a!  x\tb c", "!  x\tb c"]),
    ],
)
def test_text_has_a_line_per_line(tmp_path, options, expected):
    assert predicted(tmp_path, "a\n\n", **options) == expected


def test_json_records_keep_their_fields(tmp_path):
    lines = predicted(tmp_path, '{"id": 7, "inputs": "ä"}\n')
    assert "ä" in lines[0]
    assert json.loads(lines[0]) == {
        "id": 7,
        "inputs": "ä",
        "prediction": "ä!\n\tx",
        "fills": ["ä"],
    }


@pytest.mark.parametrize("option", ["scores", "several"])
def test_json_records_have_all_predictions_and_scores_if_asked(tmp_path, option):
    record = json.loads(predicted(tmp_path, '{"inputs": "a"}', **{option: True})[0])
    assert record["prediction"] == "a!\n\tx"
    assert record["predictions"] == ["a!\n\tx", "b\tc"]
    assert record["scores"] == [-0.25, -1.5]


def test_a_byte_order_mark_is_no_text(tmp_path):
    assert json.loads(predicted(tmp_path, '\ufeff{"inputs": "a"}\n')[0])["inputs"] == "a"
    assert predicted(tmp_path, "\ufeffa\n") == ["a! \tx"]


def test_a_format_can_be_given(tmp_path):
    assert predicted(tmp_path, '{"inputs": "a"}', "text") == ['{"inputs": "a"}! \tx']
    with pytest.raises(UserError, match="line 1 is not JSON"):
        predicted(tmp_path, "a", "jsonl")


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    os.mkfifo(pipe := tmp_path / "pipe")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with open_output(str(pipe)) as write:
            write("ä")
        assert os.read(reader, 100) == "ä\n".encode()
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_what_ends_in_gz_is_compressed(tmp_path):
    for name in ("one.jsonl.gz", "two.jsonl.gz"):
        with open_output(str(tmp_path / name)) as write:
            write("ä")
    one, two = (path.read_bytes() for path in tmp_path.iterdir())
    assert gzip.decompress(one).decode() == "ä\n"
    assert one == two


def test_a_link_is_written_through(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder" / "file")
    with open_output(str(tmp_path / "link")) as write:
        write("a")
    assert (tmp_path / "link").is_symlink()
    assert [path.read_text() for path in (tmp_path / "folder").iterdir()] == ["a\n"]


def test_standard_input_may_be_closed(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)  # as Python has it after `<&-`
    with pytest.raises(UserError, match="Standard input is closed; name a file: --input=FILE"):
        FileInputs(["-"])


def test_an_empty_line_is_no_json_record(tmp_path):
    with pytest.raises(UserError, match="line 2 is empty, but JSON lines have a record each"):
        predicted(tmp_path, '{"inputs": "a"}\n\n')


def test_a_folder_is_no_file_to_write(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(UserError, match="out': it is a folder"), open_output(str(folder)):
        pass
    assert list(tmp_path.iterdir()) == [folder]
