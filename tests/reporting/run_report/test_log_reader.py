import json

import numpy as np

from t2t.replacing import replacing
from t2t.reporting.run_report.log_reader import LogReader


def lines(*steps):
    return "".join(json.dumps({"step": step, "a": step / 2}) + "\n" for step in steps)


def test_it_reads_what_is_appended_and_waits_for_the_end_of_a_line(tmp_path):
    path = tmp_path / "metrics.jsonl"
    reader = LogReader(path)
    reader.update()
    assert reader.series == {}
    path.write_text(lines(1, 2) + '{"step": 3, "a"')
    reader.update()
    assert reader.series["a"].steps.tolist() == [1, 2]
    with path.open("a") as file:
        file.write(": 1.5, " + '"b": NaN}\n' + lines(4))
    reader.update()
    assert reader.series["a"].steps.tolist() == [1, 2, 3, 4]
    assert reader.series["a"].values.tolist() == [0.5, 1.0, 1.5, 2.0]
    assert np.isnan(reader.series["b"].values).all()
    assert reader.bad_lines == 0


def test_a_file_written_anew_is_read_anew(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(lines(1, 2, 3))
    reader = LogReader(path)
    reader.update()
    with replacing(path) as partial:  # as resuming does; here of the same size
        partial.write_text(lines(1, 2, 9))
    reader.update()
    assert reader.series["a"].steps.tolist() == [1, 2, 9]
    path.write_text(lines(5))
    reader.update()
    assert reader.series["a"].steps.tolist() == [5]
    path.unlink()
    reader.update()
    assert reader.series == {}


def test_damaged_lines_are_counted(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(
        b'{"step": 1, "a": 1}\n\x00\xff\n[1]\n{"a": 2}\n{"step": null, "a": 1}\n'
        b'{"step": 2, "a": "text", "b": 3}\n'
    )
    reader = LogReader(path)
    reader.update()
    assert reader.bad_lines == 4
    assert {name: s.steps.tolist() for name, s in reader.series.items()} == {"a": [1], "b": [2]}
