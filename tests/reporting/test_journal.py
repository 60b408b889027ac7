"""Results that outlive a process, at whatever moment it ends."""

import json
import resource
import shutil

import pytest

from t2t.errors import UserError
from t2t.reporting import journal as module
from t2t.reporting.inputs import Given
from t2t.reporting.journal import Journal, read_note, results, write_note

WINDOW, SETTINGS = 3, {"--beams": 4, "the step": 7}


def items(count, prefix="text"):
    return [Given(i, {"inputs": f"{prefix} {i}"}, True, f"line {i}") for i in range(count)]


def work(folder, given, settings=SETTINGS, stop=None):
    """Writes a result for each item that is left; ends like a killed process after `stop`."""
    folder.mkdir(exist_ok=True)
    with Journal(folder, "0", settings, WINDOW) as journal:
        done = journal.records
        for number, item in enumerate(journal.left(given)):
            if number == stop:
                raise KeyboardInterrupt
            journal.write(item.number, item.record["inputs"].upper() * (item.number % 4))
        journal.finish()
    return done


def expected(count):
    return [(i, f"TEXT {i}" * (i % 4)) for i in range(count)]


@pytest.fixture(autouse=True)
def always_note(monkeypatch):
    """After every window."""
    monkeypatch.setattr(module, "SECONDS", 0.0)


@pytest.mark.parametrize("written", range(1, 9))
@pytest.mark.parametrize("torn", [0, 1, 9])
def test_at_whatever_byte_it_is_cut_off_nothing_is_lost_or_doubled(
    tmp_path, monkeypatch, written, torn
):
    """As SIGKILL leaves it: what was written up to some byte, and the note before it."""
    write, count = Journal.write, 0

    def watched(self, *result):
        nonlocal count
        write(self, *result)
        self._file.flush()
        if (count := count + 1) == written:
            shutil.copytree(tmp_path / "run", tmp_path / "killed")

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "write", watched)
        assert work(tmp_path / "run", items(8)) == 0
    file, note = tmp_path / "killed" / "0.results", tmp_path / "killed" / "0.json"
    noted = json.loads(note.read_text())["bytes"] if note.exists() else 0
    with file.open("r+b") as stream:
        stream.truncate(max(file.stat().st_size - torn, noted))
    assert work(tmp_path / "killed", items(8)) == written // WINDOW * WINDOW
    assert list(results(tmp_path / "killed", "0")) == expected(8)


def test_it_goes_on_after_whole_windows(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        work(tmp_path / "run", items(10), stop=7)
    assert work(tmp_path / "run", items(10)) == 6
    assert work(tmp_path / "run", items(10)) == 10
    assert work(tmp_path / "run", items(12)) == 10  # more were added
    assert list(results(tmp_path / "run", "0")) == expected(12)


def test_an_error_before_any_note_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        work(tmp_path / "run", items(10), stop=2)
    assert list(tmp_path.iterdir()) == []


def test_what_is_done_is_noted_when_it_ends_by_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SECONDS", 1000.0)
    with pytest.raises(KeyboardInterrupt):
        work(tmp_path / "run", items(10), stop=4)
    assert work(tmp_path / "run", items(10)) == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"--beams": 2, "the step": 7}, "there, --beams was 4, and now it is 2. Give the same"),
        ({"--beams": 4}, "there, the step was 7, and now it is left out"),
        ({**SETTINGS, "--prefix": "x"}, "there, --prefix was left out, and now it is 'x'"),
    ],
)
def test_another_command_is_refused(tmp_path, settings, message):
    with pytest.raises(KeyboardInterrupt):
        work(tmp_path / "run", items(10), stop=4)
    with pytest.raises(UserError, match=message):
        work(tmp_path / "run", items(10), settings)
    assert work(tmp_path / "run", items(10)) == 3


@pytest.mark.parametrize("other", [items(10, "other"), items(2)])
def test_other_records_are_refused(tmp_path, other):
    with pytest.raises(KeyboardInterrupt):
        work(tmp_path / "run", items(10), stop=4)
    with pytest.raises(UserError, match="has the results of 3 records, but these are no longer"):
        work(tmp_path / "run", other)
    assert work(tmp_path / "run", items(10)) == 3


def test_a_full_disk_is_told_and_costs_nothing_of_before(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        work(tmp_path / "run", items(10), stop=4)
    most = (tmp_path / "run" / "0.results").stat().st_size + 1
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        with pytest.raises(UserError, match=r"Cannot write '.*0\.results': File too large"):
            work(tmp_path / "run", items(10))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert work(tmp_path / "run", items(10)) == 3
    assert list(results(tmp_path / "run", "0")) == expected(10)


def test_two_at_a_time_are_refused(tmp_path):
    with (
        Journal(tmp_path, "0", SETTINGS, WINDOW),
        pytest.raises(UserError, match="Another process is writing to"),
    ):
        Journal(tmp_path, "0", SETTINGS, WINDOW)


def test_damage_is_told(tmp_path):
    work(tmp_path / "run", items(4))
    (tmp_path / "run" / "0.results").write_bytes(b"")
    with pytest.raises(UserError, match=r"0\.results' is cut off; delete"):
        work(tmp_path / "run", items(4))
    (tmp_path / "run" / "0.json").write_text("{")
    with pytest.raises(UserError, match=r"0\.json' is damaged; delete"):
        work(tmp_path / "run", items(4))


def test_notes_keep_settings_as_json_has_them(tmp_path):
    settings = {"--input_lengths": (1, 2)}
    write_note(tmp_path / "note.json", settings, finished=3)
    assert read_note(tmp_path / "note.json", settings)["finished"] == 3
    assert read_note(tmp_path / "none.json", settings) is None
