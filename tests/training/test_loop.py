"""Training end to end, in one process: results, files, resuming, refusals."""

import dataclasses
import json
import os
import signal
from pathlib import Path

import jax
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.models.attention import Attention
from t2t.models.config import Dropout
from t2t.models.definition import Model
from t2t.training import optimizers, schedules
from t2t.training.checkpoints import CheckpointPolicy, Checkpoints
from t2t.training.guard import Guard
from t2t.training.interruption import Stopped
from t2t.training.loop import train
from t2t.training.partitioning import MeshShape
from tests.data import worker_tasks
from tests.training.conftest import TINY

WIDER = dataclasses.replace(
    TINY, encoder=dataclasses.replace(TINY.encoder, attention=Attention(2, 16))
)


def final_params(experiment, model_dir=None):
    abstract = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(
            x.shape, x.dtype, sharding=jax.sharding.SingleDeviceSharding(jax.devices()[0])
        ),
        Model(experiment["model"]).abstract_params,
    )
    with Checkpoints(Path(model_dir or experiment["model_dir"]) / "checkpoints") as checkpoints:
        return checkpoints.restore_params(abstract)


def assert_bit_equal(left, right):
    for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def read_jsonl(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def log_lines(experiment):
    return read_jsonl(Path(experiment["model_dir"]) / "metrics.jsonl")


def test_learns_and_leaves_the_files_of_a_run(experiment):
    experiment |= {"total_steps": 60, "checkpoint": CheckpointPolicy(every=20, keep_latest=2)}
    experiment["evaluation"] = dataclasses.replace(experiment["evaluation"], every=30)
    results = train(**experiment, config_text="# the configuration\n")
    run = Path(experiment["model_dir"])
    assert set(results) == {"tiny_copy", "tiny_text"}
    assert results["tiny_copy"].baselines["exact_match"] == 1.0
    assert len(results["tiny_copy"].predictions) == results["tiny_copy"].num_examples == 16
    assert results["tiny_text"].predictions == ()

    lines = log_lines(experiment)
    trained = [line["train/loss"] for line in lines if "train/loss" in line]
    assert trained[-1] < 0.8 * trained[0]
    assert {line["step"] for line in lines} == {*range(4, 61, 4), 30}
    last = lines[-1]
    assert last["eval/tiny_copy/loss"] == results["tiny_copy"].metrics["loss"]
    consumed = [line for line in lines if "data/tiny_copy/examples" in line]
    examples = [line["data/tiny_copy/examples"] for line in consumed]
    assert examples == sorted(set(examples))
    assert consumed[-1]["data/tiny_copy/tokens"] > examples[-1] > 60
    assert last["eval/loss"] == pytest.approx(
        np.mean([r.metrics["loss"] for r in results.values()])
    )
    per_task = [line for line in lines if "train/tiny_copy/loss" in line][-1]
    weights = [per_task[f"train/{t}/target_tokens"] for t in ("tiny_copy", "tiny_text")]
    losses = [per_task[f"train/{t}/loss"] for t in ("tiny_copy", "tiny_text")]
    assert per_task["train/loss"] == pytest.approx(np.average(losses, weights=weights))

    assert (run / "config.gin").read_text() == "# the configuration\n"
    assert "token_embedder/embedding" in (run / "parameters.txt").read_text()
    assert sorted(p.name for p in (run / "checkpoints").iterdir()) == ["40", "60"]
    predictions = read_jsonl(run / "eval/tiny_copy-000060.jsonl")
    assert predictions == list(map(dict, results["tiny_copy"].predictions))
    assert not list(run.rglob("*.tmp"))


def test_tensorboard_files_hold_the_scalars(experiment):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(**experiment)
    events = EventAccumulator(str(Path(experiment["model_dir"]) / "tensorboard"))
    events.Reload()
    assert {e.step for e in events.Scalars("train/loss")} == {4, 8, 12}
    assert {e.step for e in events.Scalars("eval/tiny_copy/exact_match")} == {6, 12}


def test_same_seed_gives_the_same_bits_and_another_does_not(experiment, tmp_path):
    experiment["model"] = dataclasses.replace(TINY, dropout=Dropout(residual=0.1))
    experiment["total_steps"] = 4
    runs = {}
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(**(experiment | {"model_dir": str(tmp_path / name), "seed": seed}))
        runs[name] = final_params(experiment, tmp_path / name)[0]
    assert_bit_equal(runs["a"], runs["b"])
    assert not np.array_equal(*(r["token_embedder"]["embedding"] for r in (runs["a"], runs["c"])))


@pytest.mark.parametrize(("pack", "stop"), [(True, 7), (False, 6)])
def test_stopped_and_resumed_ends_with_the_same_bits(experiment, tmp_path, pack, stop, monkeypatch):
    """Stopped between log lines, and at a step that is evaluated."""
    experiment["model"] = dataclasses.replace(TINY, dropout=Dropout(residual=0.1))
    experiment["pack"] = pack
    whole_run = experiment | {"model_dir": str(tmp_path / "whole")}
    train(**whole_run)
    whole, _ = final_params(experiment, tmp_path / "whole")

    kill_after_step(stop, monkeypatch)
    with pytest.raises(Stopped) as stopped:
        train(**experiment)
    assert (stopped.value.signal, stopped.value.step) == (signal.SIGTERM, stop)
    monkeypatch.undo()
    train(**experiment)
    resumed, step = final_params(experiment)
    assert step == 12
    assert_bit_equal(whole, resumed)
    assert [line["step"] for line in log_lines(experiment)] == [4, 6, 8, 12, 12]
    assert untimed(log_lines(experiment)) == untimed(log_lines(whole_run))


def test_a_run_goes_on_on_another_mesh(experiment, tmp_path, monkeypatch):
    """The same batches; parameters within rounding, which SGD does not amplify."""
    experiment |= {"mixture": "tiny_text", "mesh": MeshShape(data=8)}
    experiment["optimizer"] = optimizers.sgd(schedules.constant_schedule(0.3))
    experiment["evaluation"] = dataclasses.replace(experiment["evaluation"], every=1000)
    train(**experiment | {"model_dir": str(tmp_path / "whole")})
    kill_after_step(7, monkeypatch)
    with pytest.raises(Stopped):
        train(**experiment)
    monkeypatch.undo()
    train(**experiment | {"mesh": MeshShape(data=2, fsdp=2, tensor=2)})
    whole, _ = final_params(experiment, tmp_path / "whole")
    resumed, _ = final_params(experiment)
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(resumed), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    where = [
        json.loads((tmp_path / run / "checkpoints/12/data/metadata").read_text())
        for run in ("whole", "run")
    ]
    assert where[0] == where[1]


def untimed(lines):
    """Log lines without what no two runs have in common."""
    return [{k: v for k, v in line.items() if not k.startswith("perf/")} for line in lines]


def kill_after_step(step, monkeypatch):
    """Sends this process SIGTERM while it runs the given step."""
    from t2t.training import throughput

    original = throughput.StepLog.add
    calls = []

    def add(self, metrics):
        original(self, metrics)
        calls.append(1)
        if len(calls) == step:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(throughput.StepLog, "add", add)


def test_a_finished_run_evaluates_again_and_changes_nothing(experiment):
    first = train(**experiment)
    before = log_lines(experiment)
    again = train(**experiment)
    assert log_lines(experiment) == before
    assert {k: r.metrics for k, r in again.items()} == {k: r.metrics for k, r in first.items()}


def test_init_from_takes_parameters_only(experiment, tmp_path):
    train(**experiment)
    trained, _ = final_params(experiment)
    still = optimizers.sgd(schedules.constant_schedule(0.0))
    fine = experiment | {
        "model_dir": str(tmp_path / "fine"),
        "mixture": "tiny_copy",
        "optimizer": still,
        "total_steps": 1,
        "init_from": experiment["model_dir"],
    }
    train(**fine)
    params, step = final_params(fine)
    assert step == 1
    assert_bit_equal(trained, params)


def test_a_nan_stops_with_a_message_and_keeps_good_checkpoints(experiment):
    def rate(step):
        return jax.numpy.where(step < 5, 1e-2, jax.numpy.nan)

    experiment |= {"optimizer": optimizers.sgd(rate), "guard": Guard(limit=1, rollbacks=0)}
    with pytest.raises(UserError, match=r"NaN or infinite.*as at step 6 .*learning rate"):
        train(**experiment)
    params, step = final_params(experiment)
    assert step == 4
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(params))


REFUSED = {
    "unknown mixture": ({"mixture": "tiny_cpoy"}, "Did you mean 'tiny_copy'"),
    "vocabulary larger than the table": ({}, "vocab_size is 100"),
    "microbatches": ({"microbatches": 3}, "8 rows does not divide over 3 microbatches.* as 24"),
    "batch and mesh": ({"batch_size": 12}, "multiple of 8"),
    "init_from": ({"init_from": "nowhere"}, "'nowhere' is not the folder of a run"),
    "total_steps": ({"total_steps": 0}, "train.total_steps must be at least 1, got 0"),
    "log_every": ({"log_every": 0}, "train.log_every must be at least 1"),
    "split": ({}, "has a split 'test'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_anything_is_written(experiment, name):
    changes, message = REFUSED[name]
    if name.startswith("vocabulary"):
        changes = {"model": dataclasses.replace(experiment["model"], vocab_size=100)}
    if name == "split":
        changes = {"evaluation": dataclasses.replace(experiment["evaluation"], split="test")}
    with pytest.raises(UserError, match=message):
        train(**(experiment | changes))
    assert not Path(experiment["model_dir"]).exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": WIDER}, r"model\.encoder\.attention\.head_dim is 8 there and 16 now"),
        ({"batch_size": 16}, "other data, or in another order"),
        ({"seed": 1}, "other data, or in another order"),
        ({"mixture": "tiny_copy"}, "other data, or in another order"),
    ],
)
def test_a_folder_of_another_experiment_is_refused_and_kept(experiment, changes, message):
    train(**experiment, config_text="original")
    with pytest.raises(UserError, match=message):
        train(**(experiment | changes), config_text="other")
    assert (Path(experiment["model_dir"]) / "config.gin").read_text() == "original"


def test_best_checkpoint_is_kept_beside_the_latest(experiment):
    experiment["checkpoint"] = CheckpointPolicy(every=4, keep_latest=1, keep_best=1)
    experiment["evaluation"] = dataclasses.replace(experiment["evaluation"], every=4)
    experiment["optimizer"] = optimizers.sgd(lambda step: -0.3 * (step >= 4))  # worse after step 4
    train(**experiment)
    folder = Path(experiment["model_dir"]) / "checkpoints"
    assert sorted(int(p.name) for p in folder.iterdir()) == [4, 12]


def test_data_workers_change_nothing(experiment, tmp_path):
    worker_tasks.register()
    experiment |= {"mixture": "worker_mixture", "total_steps": 4}
    experiment["evaluation"] = dataclasses.replace(experiment["evaluation"], split="train")
    train(**experiment)
    train(**experiment | {"model_dir": str(tmp_path / "workers"), "data_workers": 2})
    one, _ = final_params(experiment)
    two, _ = final_params(experiment, tmp_path / "workers")
    assert_bit_equal(one, two)


@pytest.mark.parametrize("count", [7, -1])
def test_data_workers_that_do_not_divide_the_batch_are_refused(experiment, count):
    with pytest.raises(UserError, match=f"{count} data workers do not divide"):
        train(**experiment | {"data_workers": count})
    assert not Path(experiment["model_dir"]).exists()
