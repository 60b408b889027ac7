"""`train.trackers`: a tracker of one's own, what fails, what is refused."""

import sys

import jax
import pytest

from t2t import config
from t2t.cli import main
from t2t.errors import UserError
from t2t.training.logging import MetricsLog
from t2t.training.loop import train
from t2t.training.run_directory import RunDirectory
from t2t.training.trackers import MLflow, Tracker, Wandb
from tests.training.test_loop import read_jsonl

MINE = """
import json
import gin
from t2t.training.trackers import Tracker

@gin.configurable
class Mine(Tracker):
    def __init__(self, file):
        self.file = file

    def start(self, run, config, resume_step):
        self.write("start", resume_step, config["train.batch_size"])

    def log(self, step, values):
        self.write("log", step, values["train/loss"] if "train/loss" in values else None)

    def close(self):
        self.write("close")

    def write(self, *what):
        with open(self.file, "a") as file:
            file.write(json.dumps(what) + "\\n")
"""


class Failing(Tracker):
    def start(self, run, config, resume_step):
        raise OSError("no route\n to host")

    def log(self, step, values):
        raise AssertionError("it has not started")

    def close(self):
        raise AssertionError("it has not started")


def test_one_of_ones_own_by_import(tmp_path, monkeypatch, capsys):
    (tmp_path / "tracker_of_mine.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    command = ["train", "--gin_file=quickstart.gin", "--model_dir=run"]
    command += ["--import=tracker_of_mine", "--gin.train.trackers=[@Mine()]"]
    command += ["--gin.Mine.file='noted.jsonl'", "--gin.MIXTURE='spelling'", "--gin.D_MODEL=16"]
    command += ["--gin.train.batch_size=8", "--gin.EvalPolicy.num_examples=4"]
    command += ["--gin.CheckpointPolicy.every=2", "--gin.train.log_every=2"]
    command += ["--gin.cosine_schedule.warmup_steps=1"]
    assert main([*command, "--gin.TRAIN_STEPS=2"]) == 0
    assert main([*command, "--gin.TRAIN_STEPS=4"]) == 0
    noted = read_jsonl(tmp_path / "noted.jsonl")
    expected = [["start", 0, "8"], ["log", 2], ["log", 2, None], ["close"]]
    expected += [["start", 2, "8"], ["log", 4], ["log", 4, None], ["close"]]
    assert [found[: len(wanted)] for found, wanted in zip(noted, expected, strict=True)] == expected
    logged = read_jsonl(tmp_path / "run/metrics.jsonl")
    assert [line["train/loss"] for line in logged if "train/loss" in line] == [
        noted[1][2],
        noted[5][2],
    ]
    starts = read_jsonl(tmp_path / "run/starts.jsonl")
    assert [start["step"] for start in starts] == [0, 2]
    assert starts[0]["time"] < starts[1]["time"]
    assert starts[1] == starts[0] | {key: starts[1][key] for key in ("step", "time")}
    assert (starts[0]["platform"], starts[0]["processes"]) == ("cpu", 1)
    assert starts[0]["jax"] == jax.__version__
    assert "Mine" in (tmp_path / "run/config.gin").read_text()


def test_one_that_fails_leaves_the_log_alone(tmp_path, caplog):
    run = RunDirectory(tmp_path / "run")
    run.create()
    log = MetricsLog(run, 0, [Failing()])
    for step in range(3):
        log.write(step, {"train/loss": 1.0})
    log.go_back(1)
    log.close()
    assert [line["step"] for line in read_jsonl(run.metrics)] == [0, 1]
    assert len(list(run.tensorboard.iterdir())) == 2
    (record,) = caplog.records
    told = record.getMessage()
    assert "Failing failed, training goes on: OSError: no route to host" in told


@pytest.mark.parametrize(("kind", "module"), [(Wandb, "wandb"), (MLflow, "mlflow")])
def test_a_missing_package_is_said_before_anything_is_written(
    experiment, kind, module, monkeypatch, tmp_path
):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=rf"tracker {kind.__name__} needs .* 't2t\[{module}\]'"):
        train(**experiment, trackers=[kind()])
    assert not (tmp_path / "run").exists()


def test_two_of_a_kind_are_refused(experiment):
    with pytest.raises(UserError, match="Failing 2 times"):
        train(**experiment, trackers=[Failing(), Failing()])


def test_they_are_named_in_gin():
    arguments = {
        "model_dir": "'run'",
        "mixture": "'m'",
        "sequence_length": "{'inputs': 8, 'targets': 8}",
        "batch_size": "8",
        "total_steps": "1",
        "model": "%MODEL",
        "optimizer": "@adamw()",
    }
    bindings = [f"train.{name} = {value}" for name, value in arguments.items()]
    bindings += ["adamw.learning_rate = @constant_schedule()", "constant_schedule.peak = 1.0"]
    bindings += ["Wandb.project = 'mine'", "Wandb.tags = ('a', 'b')", "MLflow.name = 'x'"]

    def trackers(value):
        config.load(["models/bytes_tiny.gin"], [*bindings, f"train.trackers = {value}"])
        return config.arguments_of(train)["trackers"]

    assert trackers("[@Wandb(), @MLflow()]") == [
        Wandb(project="mine", tags=("a", "b")),
        MLflow(name="x"),
    ]
    assert "Wandb.project = 'mine'" in config.operative_config()
    with pytest.raises(UserError, match=r"train\.trackers = .*a tuple of a Tracker each"):
        trackers("[@Wandb, @MLflow()]")
    with pytest.raises(UserError, match="Did you mean 'Wandb'"):
        trackers("[@WandB()]")
