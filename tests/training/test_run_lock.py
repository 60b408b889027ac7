"""Who may write a run's folder: real processes that hold, die, hang and come back."""

import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.training import lock_files, process_identity, run_lock
from t2t.training.loop import train
from t2t.training.process_identity import ProcessIdentity
from t2t.training.run_lock import Holder, RunLock, hold_run_lock

# Holds the lock; for each line on standard input says what `check` says.
HOLDER = """
import sys
from pathlib import Path
from t2t.errors import UserError
from t2t.training import process_identity
from t2t.training.run_lock import RunLock
if sys.argv[2:]:
    process_identity._machine = lambda: sys.argv[2]
with RunLock(Path(sys.argv[1]), beat=0.02) as lock:
    print("held", flush=True)
    for _ in sys.stdin:
        try:
            lock.check()
            print("fine", flush=True)
        except UserError as error:
            print(error, flush=True)
"""


@pytest.fixture
def holder(tmp_path):
    """Starts a process that holds the lock, on this machine or, as it says, on another."""
    started = []

    def start(*machine):
        command = [sys.executable, "-c", HOLDER, str(tmp_path), *machine]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def ask(process):
    process.stdin.write("check\n")
    return process.stdout.readline()


def quick(folder):
    return RunLock(folder, beat=0.02, patience=0.2)


def content(folder):
    [file] = (folder / "lock").iterdir()
    return json.loads(file.read_text())


def leave(folder, *, released=False, since="2026-01-01 00:00:00 UTC", **process):
    """A lock file as another process may have left it."""
    identity = dataclasses.replace(ProcessIdentity.current(), **process)
    (folder / "lock").mkdir()
    file = folder / "lock" / "7.json"
    said = Holder(identity, since, "their token", released=released)
    file.write_text(json.dumps(dataclasses.asdict(said)))
    return file


def test_a_second_run_is_told_who_writes_and_changes_nothing(tmp_path, holder):
    process = holder()
    started = time.monotonic()
    with pytest.raises(UserError) as refused, RunLock(tmp_path):
        pass
    assert time.monotonic() - started < 50  # not the patience with other machines
    said = content(tmp_path)
    for part in (str(tmp_path), f"process {process.pid} on {said['process']['host']}"):
        assert part in str(refused.value)
    assert f"since {said['since']}" in str(refused.value)
    assert "choose another MODEL_DIR" in str(refused.value)
    assert ask(process) == "fine\n"


def test_released_by_the_end_and_by_errors(tmp_path):
    with pytest.raises(KeyboardInterrupt), quick(tmp_path) as lock:
        lock.check()
        with pytest.raises(UserError, match=f"process {os.getpid()}"), quick(tmp_path):
            pass
        raise KeyboardInterrupt
    assert content(tmp_path)["released"]
    with quick(tmp_path) as lock:
        lock.check()
        assert not content(tmp_path)["released"]


def test_after_kill_9_the_next_goes_on_at_once(tmp_path, holder, caplog):
    process = holder()
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, but a zombie still
    caplog.set_level("INFO")
    with RunLock(tmp_path, patience=1e9) as lock:
        lock.check()
    assert f"took over the lock of process {process.pid}" in caplog.text


def test_a_stopped_process_of_this_machine_is_not_dead(tmp_path, holder):
    process = holder()
    process.send_signal(signal.SIGSTOP)
    with pytest.raises(UserError, match="being written by another run"), quick(tmp_path):
        pass
    process.send_signal(signal.SIGCONT)
    assert ask(process) == "fine\n"


def test_a_process_number_used_again_is_not_the_holder(tmp_path):
    leave(tmp_path, started="1")
    with RunLock(tmp_path, patience=1e9) as lock:
        lock.check()


def test_where_start_times_are_hidden_life_shows_in_the_file(tmp_path, monkeypatch):
    leave(tmp_path)
    monkeypatch.setattr(process_identity, "_stat", lambda path: [])
    with quick(tmp_path) as lock:  # the process is there, but may be any
        lock.check()


def test_another_machine_that_beats_is_alive(tmp_path, holder):
    process = holder("another machine")
    with pytest.raises(UserError, match=f"process {process.pid}"), RunLock(tmp_path, patience=1e9):
        pass
    assert ask(process) == "fine\n"


def test_another_machine_killed_is_taken_over_after_the_patience(tmp_path, holder, monkeypatch):
    holder("another machine").kill()
    waited = []
    monkeypatch.setattr(run_lock.time, "sleep", waited.append)
    with RunLock(tmp_path) as lock:
        lock.check()
    assert sum(waited) == pytest.approx(60)


@pytest.mark.parametrize("job", ["17", "18"])
def test_a_requeued_job_waits_for_its_former_self(tmp_path, monkeypatch, job, caplog):
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    leave(tmp_path, machine="another machine", host="node1", job=f"Slurm job {job}")
    caplog.set_level("INFO")
    with quick(tmp_path) as lock:
        lock.check()
        assert content(tmp_path)["process"]["job"] == "Slurm job 17"
    assert "sign of life of process" in caplog.text
    assert f"on node1 (Slurm job {job})" in caplog.text


@pytest.mark.parametrize("when", [0, 4e9], ids=["past", "future"])
def test_clocks_of_files_and_of_other_machines_do_not_matter(tmp_path, when, holder):
    file = leave(tmp_path, machine="another machine", since=f"{1970 + when / 3e7:.0f}")
    os.utime(file, (when, when))
    waits = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_lock.time, "sleep", waits.append)
        with RunLock(tmp_path):
            pass
    assert sum(waits) == pytest.approx(60)  # dead, however old or new it seems

    process = holder("another machine")
    [file] = (tmp_path / "lock").iterdir()
    os.utime(file, (when, when))
    with pytest.raises(UserError, match="being written"), RunLock(tmp_path, patience=1e9):
        pass
    assert ask(process) == "fine\n"


def test_only_one_of_many_takes_over(tmp_path):
    for round_number in range(10):
        folder = tmp_path / str(round_number)
        folder.mkdir()
        leave(folder, started="1")
        start, done = threading.Barrier(8), threading.Barrier(8)

        def attempt(folder=folder, start=start, done=done):
            start.wait()
            try:
                with quick(folder) as lock:
                    done.wait()
                    lock.check()
                    return "won"
            except UserError:
                done.wait()
                return "refused"

        with ThreadPoolExecutor(8) as pool:
            outcomes = [future.result() for future in [pool.submit(attempt) for _ in range(8)]]
        assert sorted(outcomes) == ["refused"] * 7 + ["won"]


def test_who_was_slow_does_not_get_a_number_that_was_used(tmp_path, monkeypatch):
    leave(tmp_path, released=True)
    decided, real = iter([3]), RunLock._free_number  # decided long ago, before 3 to 7 came and went
    monkeypatch.setattr(RunLock, "_free_number", lambda self: next(decided, None) or real(self))
    with quick(tmp_path) as lock:
        assert [path.name for path in (tmp_path / "lock").iterdir()] == ["8.json"]
        lock.check()


def test_a_holder_that_comes_back_stops(tmp_path, holder):
    process = holder("another machine")
    process.send_signal(signal.SIGSTOP)
    with quick(tmp_path) as lock:
        process.send_signal(signal.SIGCONT)
        message = ask(process)
        assert f"was taken over by process {os.getpid()}" in message
        assert "stops without writing" in message
        time.sleep(0.1)  # five beats of its
        lock.check()
        process.communicate()  # it ends, and releases nothing
        lock.check()
        assert not content(tmp_path)["released"]


def test_a_removed_lock_is_lost(tmp_path):
    with quick(tmp_path) as lock:
        [file] = (tmp_path / "lock").iterdir()
        file.unlink()
        with pytest.raises(UserError, match="lost its lock file"):
            lock.check()
        with quick(tmp_path), pytest.raises(UserError, match="was taken over"):
            lock.check()


def test_an_empty_lock_file_may_be_about_to_be_written(tmp_path):
    (tmp_path / "lock").mkdir()
    (tmp_path / "lock" / "1.json").touch()
    with quick(tmp_path) as lock:
        lock.check()
    (tmp_path / "lock" / "2.json").write_text("")
    said = dataclasses.asdict(Holder(ProcessIdentity.current(), "now", "token"))
    writer = threading.Timer(0.05, (tmp_path / "lock" / "2.json").write_text, [json.dumps(said)])
    writer.start()
    with pytest.raises(UserError, match=f"process {os.getpid()}"), RunLock(tmp_path, beat=0.02):
        pass
    writer.join()


def test_the_file_beats_in_place(tmp_path):
    with quick(tmp_path):
        [file] = (tmp_path / "lock").iterdir()
        before, size = file.stat().st_ino, file.stat().st_size
        deadline = time.monotonic() + 60
        while content(tmp_path)["beats"] < 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert content(tmp_path)["released"]
    assert (file.stat().st_ino, file.stat().st_size) == (before, size)


def test_no_space_is_a_message_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(lock_files.os, "write", full)
    with pytest.raises(UserError, match=r"Cannot write .*No space left"), quick(tmp_path):
        pass
    assert not list((tmp_path / "lock").iterdir())


def test_something_in_the_way_is_a_message(tmp_path):
    (tmp_path / "lock").touch()
    with pytest.raises(UserError, match=r"Cannot write .*File exists"), quick(tmp_path):
        pass


def test_training_is_refused_while_another_process_writes(tmp_path, holder, experiment):
    process = holder()
    with pytest.raises(UserError, match=f"being written by another run: process {process.pid}"):
        train(**experiment | {"model_dir": str(tmp_path)})
    assert not (tmp_path / "model.json").exists()
    assert not list((tmp_path / "checkpoints").iterdir())
    assert ask(process) == "fine\n"


@pytest.mark.parametrize("refused", [False, True])
def test_other_processes_of_a_run_follow_the_first(tmp_path, monkeypatch, refused):
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(
        run_lock.multihost_utils, "broadcast_one_to_all", lambda own: np.array(refused)
    )
    if refused:
        with pytest.raises(UserError, match="Process 0 may not write"), hold_run_lock(tmp_path):
            pass
    else:
        with hold_run_lock(tmp_path) as lock:
            lock.check()
    assert not list(Path(tmp_path).iterdir())
