"""Weights & Biases offline: its file, read back."""

import json
import struct
import time
from pathlib import Path

import pytest

from t2t.training.interruption import Stopped
from t2t.training.logging import MetricsLog
from t2t.training.loop import train
from t2t.training.run_directory import RunDirectory
from t2t.training.trackers import Wandb
from tests.training.test_loop import kill_after_step, read_jsonl

wandb = pytest.importorskip("wandb")

_HEADER, _BLOCK = 7, 32768  # bytes


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")


def records(path):
    """The protocol buffers of a .wandb file: in blocks, each part with a header, as LevelDB's."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, place, whole = path.read_bytes(), _HEADER, b""
    while place + _HEADER <= len(data):
        if (left := _BLOCK - place % _BLOCK) < _HEADER:
            place += left
            continue
        size, kind = struct.unpack("<HB", data[place + 4 : place + 7])
        whole += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # all of it, or the last part
            yield Record.FromString(whole)
            whole = b""


def history(run):
    """(step, values) of all of the run's files, in order, and the ids in them."""
    rows, ids = [], set()
    for path in sorted(run.path.glob("wandb/offline-run-*/*.wandb")):
        for record in records(path):
            if record.HasField("run"):
                ids.add(record.run.run_id)
            elif record.HasField("history"):
                items = {i.key or i.nested_key[0]: i.value_json for i in record.history.item}
                rows.append({k: json.loads(v) for k, v in items.items()})
    return rows, ids


def test_it_goes_on_under_its_id_and_has_each_step_once(tmp_path):
    run = RunDirectory(tmp_path / "run")
    run.create()
    for resume, steps in ((0, (10, 20, 30)), (20, (30, 40))):
        log = MetricsLog(run, resume, [Wandb(project="p", tags=("a",))], {"train.seed": "0"})
        for step in steps:
            log.write(step, {"train/loss": step / 10 + resume})
        log.write(steps[-1], {"eval/loss": 1.0 + resume})
        log.close()
        time.sleep(1)  # folders are named after the second
    rows, ids = history(run)
    assert len(ids) == 1
    assert ids == {json.loads(run.trackers.read_text())["wandb"]["id"]}
    losses = [(row["_step"], row["train/loss"]) for row in rows if "train/loss" in row]
    assert losses == [(10, 1.0), (20, 2.0), (30, 3.0), (40, 24.0)]
    evaluated = [(row["_step"], row["eval/loss"]) for row in rows if "eval/loss" in row]
    assert evaluated == [(30, 1.0), (40, 21.0)]


def test_a_run_that_is_interrupted(experiment, monkeypatch):
    with monkeypatch.context() as patch:
        kill_after_step(7, patch)
        with pytest.raises(Stopped):
            train(**experiment, trackers=[Wandb()])
    train(**experiment, trackers=[Wandb()])
    run = RunDirectory(Path(experiment["model_dir"]))
    rows, ids = history(run)
    assert len(ids) == 1
    assert [row["_step"] for row in rows] == [4, 6, 8, 12]
    logged = {}
    for line in read_jsonl(run.metrics):
        logged.setdefault(line.pop("step"), {}).update(line)
    assert {row["_step"]: values_of(row) for row in rows} == logged


def values_of(row):
    return {name: value for name, value in row.items() if not name.startswith("_")}
