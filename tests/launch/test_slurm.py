"""A real Slurm on this machine: two tasks train, are told to stop, queue again and finish.

Needs root and Debian's packages: apt-get install slurm-wlm munge
"""

import re
import subprocess
import sys
import time
from pathlib import Path

import jax
import pytest

from t2t.training.watchdog import EXIT_CODE

TOOLS = Path(__file__).resolve().parents[2] / "tools"
# The first start under Slurm is slow, so that it is still training when it is told to stop.
TASK = """
import os, time
import t2t

slow = "SLURM_JOB_ID" in os.environ and "SLURM_RESTART_COUNT" not in os.environ

def pairs(split):
    return [{"w": f"{7919 * n}"} for n in range(300 if split == "train" else 8)]

def wait(example):
    time.sleep(0.02 * slow)
    return example

text = t2t.Feature(t2t.ByteVocabulary())
t2t.TaskRegistry.add("echo", source=t2t.FunctionDataSource(pairs, splits=["train", "validation"]),
    preprocessors=[t2t.text_to_text("say {w}", "{w}"), wait],
    output_features={"inputs": text, "targets": text}, metric_fns=[t2t.exact_match])
"""
STEPS = 60
COMMAND = [
    *(
        sys.executable,
        "-m",
        "t2t.cli",
        "train",
        "--gin_file=quickstart.gin",
        "--import=echo",
        "--gin.MIXTURE='echo'",
    ),
    *(f"--gin.TRAIN_STEPS={STEPS}", "--gin.train.log_every=5", "--gin.train.batch_size=8"),
    *("--gin.D_MODEL=16", "--gin.D_FF=16", "--gin.HEAD_DIM=4", "--gin.DROPOUT_RATE=0.1"),
    *("--gin.train.sequence_length={'inputs': 16, 'targets': 8}", "--gin.train.pack=False"),
    "--gin.cosine_schedule.warmup_steps=5",
]


# Ends as `t2t train` does.
WAITER = """
import signal, sys, time
def stop(*_):
    print("saved", flush=True)
    sys.exit(143)
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slurm")
    (folder / "echo.py").write_text(TASK)
    return folder


@pytest.fixture(scope="module", autouse=True)
def environment():
    """Of the jobs, which Slurm passes on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_NUM_CPU_DEVICES", "1")
        patch.setenv("JAX_COMPILATION_CACHE_DIR", jax.config.jax_compilation_cache_dir)
        yield


@pytest.fixture
def comparison(monkeypatch):
    monkeypatch.syspath_prepend(TOOLS / "interruptions")
    import comparison

    return comparison


def submit(slurm, folder, *words):
    resources = ["--nodes=1", "--ntasks-per-node=2"]
    script = [str(TOOLS / "launch" / "slurm.sbatch"), *words]
    return slurm("sbatch", "--parsable", *resources, *script, cwd=folder)


def state(slurm, job):
    return re.search(r"JobState=(\w+)", slurm("scontrol", "show", "job", job))[1]


def wait_for(condition, log, seconds=600):
    end = time.monotonic() + seconds
    while not condition():
        said = log.read_text() if log.exists() else "nothing"
        assert time.monotonic() < end, said
        assert "t2t: error" not in said, said
        assert "Traceback" not in said, said
        time.sleep(0.1)


@pytest.fixture(scope="module")
def whole(folder):
    """The folder of an uninterrupted run, of two processes too."""
    local = [sys.executable, str(TOOLS / "launch" / "local.py"), "--num_processes=2", "--"]
    done = subprocess.run(
        [*local, *COMMAND, f"--model_dir={folder / 'whole'}"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return folder / "whole"


@pytest.mark.timeout(1500)
def test_stopped_by_sigterm_queued_again_and_trained_to_the_same_end(
    slurm, folder, whole, comparison
):
    requeued = folder / "requeued"
    job = submit(slurm, folder, *COMMAND, f"--model_dir={requeued}")
    log, written = folder / f"t2t-{job}.log", requeued / "metrics.jsonl"
    wait_for(lambda: written.exists() and len(written.read_text().splitlines()) >= 2, log)
    slurm("scancel", "--signal=TERM", job)

    wait_for(lambda: state(slurm, job) == "PENDING", log)
    assert f"stopped by SIGTERM; job {job} joins the queue again" in log.read_text()
    stopped = re.search(r"Stopped by SIGTERM after step (\d+) of", log.read_text())
    assert 10 <= int(stopped[1]) < STEPS
    # Slurm waits for two minutes; started within the same second, the job would be refused.
    time.sleep(2)
    slurm("scontrol", "update", f"JobId={job}", "StartTime=now")

    wait_for(lambda: state(slurm, job) in ("COMPLETED", "FAILED", "CANCELLED"), log)
    assert f"start 1 of job {job}" in log.read_text()
    assert f"training from step {stopped[1]} to {STEPS}" in log.read_text()
    assert state(slurm, job) == "COMPLETED"
    # Parameters, state of the optimiser, position in the data, metrics, predictions: bit for bit.
    assert comparison.differences(whole, requeued) == []


def test_a_cancelled_job_stays_away_and_a_failing_one_fails(slurm, folder):
    waiting = submit(slurm, folder, sys.executable, "-c", WAITER)
    log = folder / f"t2t-{waiting}.log"
    wait_for(lambda: log.exists() and log.read_text().count("ready") == 2, log)
    slurm("scancel", waiting)
    failing = submit(slurm, folder, "bash", "-c", "exit $((SLURM_PROCID * 3))")
    wait_for(lambda: not slurm("squeue", "--noheader"), folder / f"t2t-{failing}.log")
    assert state(slurm, waiting) == "CANCELLED"
    assert log.read_text().count("saved") == 2
    assert state(slurm, failing) == "FAILED"
    assert "ExitCode=3:0" in slurm("scontrol", "show", "job", failing)


def test_a_job_that_its_watchdog_ended_queues_again(slurm, folder):
    hanging = submit(slurm, folder, "bash", "-c", f"exit $((SLURM_PROCID ? {EXIT_CODE} : 1))")
    log = folder / f"t2t-{hanging}.log"
    wait_for(lambda: log.exists() and "ended by its watchdog; job" in log.read_text(), log)
    wait_for(lambda: state(slurm, hanging) == "PENDING", log)
    slurm("scancel", hanging)
    wait_for(lambda: not slurm("squeue", "--noheader"), log)


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ([], 2, "no command; as in: sbatch"),
        (["nonesuch", "train"], 127, "no command 'nonesuch' on "),
        (["true"], 2, "this is no job; submit it: sbatch slurm.sbatch true"),
    ],
)
def test_mistakes_are_one_line(words, status, message):
    """The script by itself, as Slurm runs it."""
    done = subprocess.run(
        ["bash", str(TOOLS / "launch" / "slurm.sbatch"), *words], capture_output=True, text=True
    )
    assert done.returncode == status
    assert done.stderr.startswith(f"slurm.sbatch: error: {message}")
    assert len(done.stderr.splitlines()) == 1
