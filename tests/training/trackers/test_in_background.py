import threading

from t2t.training.run_directory import RunDirectory
from t2t.training.trackers import Tracker, in_background
from t2t.training.trackers.in_background import InBackground


class Noted(Tracker):
    """Notes its calls; `fails` names calls that raise, until they are taken out."""

    def __init__(self, *fails):
        self.calls, self.fails = [], [*fails]
        self.gate = threading.Event()
        self.gate.set()

    def note(self, *call):
        assert self.gate.wait(10)
        if call[0] in self.fails:
            raise ConnectionError(f"no network for {call[0]}")
        self.calls.append(call)

    def start(self, run, config, resume_step):
        self.note("start", run.path.name, config, resume_step)

    def log(self, step, values):
        self.note("log", step, values)

    def close(self):
        self.note("close")


def run_of(tmp_path):
    return RunDirectory(tmp_path / "run")


def test_calls_come_in_order_and_nobody_waits(tmp_path):
    tracker = Noted()
    tracker.gate.clear()
    background = InBackground(tracker)
    background.start(run_of(tmp_path), {"a": "1"}, 0)
    values = {"loss": 1.0}
    background.log(1, values)
    values["loss"] = 9.0  # of the caller again
    background.close()
    background.start(run_of(tmp_path), {}, 1)
    background.close()
    assert tracker.calls == []
    tracker.gate.set()
    background.end(10)
    assert tracker.calls == [
        ("start", "run", {"a": "1"}, 0),
        ("log", 1, {"loss": 1.0}),
        ("close",),
        ("start", "run", {}, 1),
        ("close",),
    ]


def test_what_fails_is_one_warning(tmp_path, caplog):
    tracker = Noted("log")
    background = InBackground(tracker)
    background.start(run_of(tmp_path), {}, 0)
    for step in range(5):
        background.log(step, {})
    background.close()
    background.end(10)
    assert [call[0] for call in tracker.calls] == ["start", "close"]
    assert [record.getMessage() for record in caplog.records] == [
        "The tracker Noted failed, training goes on: ConnectionError: no network for log "
        f"({__file__}, line {Noted.note.__code__.co_firstlineno + 3})"
    ]


def test_one_that_does_not_start_is_started_later(tmp_path, caplog, monkeypatch):
    tracker = Noted("start")
    background = InBackground(tracker)
    background.start(run_of(tmp_path), {}, 0)
    background.log(1, {})
    background.close()  # of what never started
    background.start(run_of(tmp_path), {}, 0)
    background.log(2, {})
    while background._waiting.qsize():
        pass
    tracker.fails.clear()
    monkeypatch.setattr(in_background, "_RETRY_AFTER", 0.0)
    background.log(3, {})
    background.close()
    background.end(10)
    assert [call[:2] for call in tracker.calls] == [("start", "run"), ("log", 3), ("close",)]
    assert len([r for r in caplog.records if r.levelname == "WARNING"]) == 1


def test_one_that_hangs_holds_nothing_up(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(in_background, "_MOST_WAITING", 3)
    tracker = Noted()
    tracker.gate.clear()
    background = InBackground(tracker)
    background.start(run_of(tmp_path), {}, 0)
    for step in range(100):
        background.log(step, {})
    background.end(0.05)
    tracker.gate.set()
    (record,) = caplog.records
    assert "it is 3 log lines behind" in record.getMessage()
