"""Real processes that train, evaluate and predict together, and what happens when one ends."""

import json
import signal

import jax
import numpy as np
import pytest

from t2t.models.definition import Model
from t2t.models.presets import t5
from t2t.training.checkpoints import Checkpoints
from tests.processes import Job, free_port, run

STEPS = 16
# Every process notes what it reads of the two splits.
TASK = """
import os
import t2t
def pairs(split):
    return [{"w": f"{split[0]}{7919 * n}"} for n in range(300 if split == "train" else 21)]
def noted(example):
    with open(os.environ.get("READS", os.devnull) + os.environ["JAX_PROCESS_ID"], "a") as file:
        file.write(example["w"] + "\\n")
    return example
text = t2t.Feature(t2t.ByteVocabulary())
t2t.TaskRegistry.add("echo", source=t2t.FunctionDataSource(pairs, splits=["train", "validation"]),
    preprocessors=[noted, t2t.text_to_text("say {w}", "{w}")],
    output_features={"inputs": text, "targets": text}, metric_fns=[t2t.exact_match])
"""
MODEL = t5(
    vocab_size=384,
    d_model=32,
    d_ff=32,
    num_heads=4,
    head_dim=8,
    num_encoder_layers=2,
    num_decoder_layers=2,
    dropout_rate=0.1,
)
TRAIN = (
    *("-m", "t2t.cli", "train", "--gin_file=quickstart.gin", "--import=echo"),
    *("--gin.MIXTURE='echo'", "--gin.train.log_every=1", "--gin.train.batch_size=8"),
    *("--gin.CheckpointPolicy.every=4", "--gin.EvalPolicy.every=1000"),
    *("--gin.D_MODEL=32", "--gin.D_FF=32", "--gin.HEAD_DIM=8", "--gin.DROPOUT_RATE=0.1"),
    *("--gin.EvalPolicy.batch_size=8", "--gin.cosine_schedule.warmup_steps=2"),
    *(f"--gin.TRAIN_STEPS={STEPS}", "--heartbeat_timeout=30"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    (folder / "echo.py").write_text(TASK)
    return folder


def training(folder, name, count, **environment):
    words = (*TRAIN, f"--model_dir={name}")
    return Job(words, count, devices=4 // count, folder=folder, environment=environment)


@pytest.fixture(scope="module")
def one(folder):
    """A run of one process with four devices."""
    with training(folder, "one", 1) as job:
        job.finish()
    return folder / "one"


@pytest.fixture(scope="module")
def stopped(folder):
    """Of two processes, one is asked to stop; four go on."""
    with training(folder, "stopped", 2) as job:
        job.wait_for("step 3/")
        job.processes[1].send_signal(signal.SIGTERM)
        codes = job.wait()
        messages = [job.errors(number) for number in range(2)]
    with training(folder, "stopped", 4, READS=str(folder / "reads")) as job:
        job.finish()
    return folder / "stopped", codes, messages


@pytest.fixture(scope="module")
def killed(folder):
    """Of four processes, one is killed; two go on."""
    with training(folder, "killed", 4) as job:
        job.wait_for("step 6/")
        job.processes[2].send_signal(signal.SIGKILL)
        codes = job.wait(120)
        messages = [job.errors(number) for number in range(4)]
    with training(folder, "killed", 2) as job:
        job.finish()
    return folder / "killed", codes, messages


def final_params(path):
    sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    abstract = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding),
        Model(MODEL).abstract_params,
    )
    with Checkpoints(path / "checkpoints") as checkpoints:
        params, step = checkpoints.restore_params(abstract)
    assert step == STEPS
    return params


def logged(path, prefixes):
    """By step and name."""
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return {
        (line["step"], name): value
        for line in lines
        for name, value in line.items()
        if name.startswith(prefixes)
    }


def assert_equal_runs(path, reference):
    for a, b in zip(
        jax.tree.leaves(final_params(path)), jax.tree.leaves(final_params(reference)), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-5)
    for prefixes in [("train/loss", "train/echo/loss", "train/grad_norm"), "eval/", "data/"]:
        found, expected = logged(path, prefixes), logged(reference, prefixes)
        assert found.keys() == expected.keys()
        assert len(expected) >= (1 if prefixes == "eval/" else STEPS)
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-5, err_msg=str(name))


def test_asked_to_stop_all_stop_after_the_same_step(stopped):
    _, codes, messages = stopped
    assert codes == [128 + signal.SIGTERM] * 2
    assert "Stopped by SIGTERM after step" in messages[0]
    assert "Stopped" not in messages[1]
    assert "Traceback" not in "".join(messages)


def test_more_processes_go_on_as_one_would(stopped, one):
    assert_equal_runs(stopped[0], one)


def test_each_process_reads_its_share(folder, stopped):
    reads = [(folder / f"reads{number}").read_text().split() for number in range(4)]
    trained = [{word for word in words if word[0] == "t"} for words in reads]
    # Some rows are looked at by all, to see what the task gives.
    assert max(map(len, trained)) < 0.7 * len(set.union(*trained))


def test_checkpoints_are_written_by_all(stopped):
    newest = stopped[0] / "checkpoints" / str(STEPS)
    written = {path.name for path in newest.glob("params/ocdbt.process_*")}
    assert written == {f"ocdbt.process_{number}" for number in range(4)}


def test_one_killed_ends_all_with_one_message(killed):
    _, codes, messages = killed
    assert codes[2] == -signal.SIGKILL
    assert [codes[i] for i in (0, 1, 3)] == [1, 1, 1]
    said = " ".join(messages[0].split())
    assert "t2t: error: Process 2 of 4 is lost" in said
    assert "Run the same command again" in said
    assert "t2t: error" not in messages[1] + messages[3]
    assert "Traceback" not in "".join(messages)


def test_the_coordinator_killed_ends_all(folder):
    code = (
        "import time\n"
        "from t2t.distributed import find_place, join\n"
        "join(find_place(), heartbeat=30)\n"
        "print('joined')\n"
        "time.sleep(200)\n"
    )
    with Job(("-c", code), 3, folder=folder) as job:
        for number in range(3):
            job.wait_for("joined", number)
        job.processes[0].send_signal(signal.SIGKILL)
        assert job.wait(120) == [-signal.SIGKILL, 1, 1]
        for number in (1, 2):
            said = " ".join(job.errors(number).split())
            assert f"t2t: error: Process {number} of 3 has lost process 0" in said
            assert job.address in said


def test_fewer_processes_go_on_as_one_would(killed, one):
    assert_equal_runs(killed[0], one)


def test_predictions_are_shared_out_and_joined_in_order(folder, one):
    texts = [f"say {n * n}" for n in range(70)]
    (folder / "inputs.txt").write_text("".join(f"{text}\n" for text in texts))
    words = ("-m", "t2t.cli", "infer", "--model_dir=one", "--import=echo", "--batch_size=2")
    words = (*words, "--samples=1", "--temperature=1", "--scores", "--max_decode_length=4")
    for name, count in (("alone", 1), ("together", 2)):
        files = ("--input=inputs.txt", f"--output={name}.txt")
        run((*words, *files), count, folder=folder)
    together = (folder / "together.txt").read_text()
    assert together == (folder / "alone.txt").read_text()
    assert len(set(together.splitlines())) > 35
    assert not list(folder.glob("*.tmp"))


def test_an_error_in_one_process_ends_all_with_one_message(folder):
    code = (
        "import sys, os, runpy\n"
        "if os.environ['JAX_PROCESS_ID'] == '1':\n"
        "    sys.argv.append('--gin.train.log_every=0')\n"
        "runpy.run_module('t2t.cli', run_name='__main__')\n"
    )
    words = ("-c", code, *TRAIN[2:], "--model_dir=unequal")
    with Job(words, 2, folder=folder) as job:
        assert job.wait(200) == [1, 1]
        said = " ".join(job.errors(0).split())
        assert "t2t: error: Process 1 of 2: train.log_every must be at least 1" in said
        assert "t2t: error" not in job.errors(1)
        assert "Traceback" not in job.errors(0) + job.errors(1)


def test_who_does_not_come_is_told(folder):
    words = (*TRAIN, "--model_dir=x", "--coordinator_timeout=2", "--num_processes=2")
    places = [
        (f"--process_id={number}", f"--coordinator_address=localhost:{free_port()}")
        for number in range(2)
    ]
    jobs = [Job((*words, *place), 1, folder=folder) for place in places]
    with jobs[0], jobs[1]:
        assert [job.wait(200) for job in jobs] == [[1], [1]]
        said = [" ".join(job.errors(0).split()) for job in jobs]
    assert "t2t: error: Process 0 of 2 has waited 2 seconds at localhost:" in said[0]
    assert "t2t: error: Process 1 of 2 could not reach the coordinator at localhost:" in said[1]
    assert not any("Traceback" in text or "stack trace" in text for text in said)
