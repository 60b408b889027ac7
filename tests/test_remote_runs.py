"""A run whose folder is on gs://, with a server of our own: killed, resumed, used."""

import json
import os
import signal
import subprocess
import sys

import jax
import pytest
from etils import epath

from t2t.cli import main
from t2t.errors import UserError
from t2t.paths import run_folder
from tests import gcs_server

TASK = """
import os
import time
import t2t
def pairs(split):
    return [{"w": f"{7919 * n}"} for n in range(300 if split == "train" else 20)]
def slowly(example):
    time.sleep(float(os.environ.get("SECONDS_PER_EXAMPLE", 0)))
    return {"inputs": f"say {example['w']}", "targets": example["w"]}
text = t2t.Feature(t2t.ByteVocabulary())
t2t.TaskRegistry.add("echo", source=t2t.FunctionDataSource(pairs, splits=["train", "validation"]),
    preprocessors=[slowly], output_features={"inputs": text, "targets": text},
    metric_fns=[t2t.exact_match])
"""
REMOTE = "gs://bucket/runs/echo"
WORDS = [
    *("--gin_file=quickstart.gin", "--import=echo", "--gin.MIXTURE='echo'"),
    *("--gin.train.batch_size=8", "--gin.train.log_every=5", "--gin.CheckpointPolicy.every=20"),
    *("--gin.EvalPolicy.every=1000", "--gin.cosine_schedule.warmup_steps=5"),
    *("--gin.D_MODEL=16", "--gin.D_FF=16", "--gin.HEAD_DIM=8", "--gin.TRAIN_STEPS=60"),
]


def command(*words):
    return [sys.executable, "-m", "t2t.cli", *words]


def told(done):
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run killed and resumed on gs://, and one in a folder here; what the processes printed."""
    pytest.importorskip("gcsfs")
    folder = tmp_path_factory.mktemp("remote")
    (folder / "echo.py").write_text(TASK)
    with gcs_server.serve() as address:
        environment = {
            **os.environ,
            **gcs_server.environment(address),
            "JAX_NUM_CPU_DEVICES": "1",
            "JAX_COMPILATION_CACHE_DIR": jax.config.jax_compilation_cache_dir,
        }
        options = {"cwd": folder, "env": environment, "text": True, "timeout": 900}

        def run(*words, **more):
            return subprocess.run(command(*words), capture_output=True, **options, **more)

        def read(name):
            code = f"import fsspec; print(fsspec.open('{REMOTE}/{name}', 'rt').open().read())"
            return subprocess.run(
                [sys.executable, "-c", code], capture_output=True, check=True, **options
            ).stdout

        here = run("train", *WORDS, "--model_dir=here")
        assert here.returncode == 0, told(here)
        killed = subprocess.Popen(
            command("train", *WORDS, f"--model_dir={REMOTE}"),
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=environment | {"SECONDS_PER_EXAMPLE": "0.008"},
        )
        for line in killed.stderr:
            if "checkpoint of step 20" in line:
                break
        second = run("train", *WORDS, f"--model_dir={REMOTE}")
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        killed.stderr.close()
        resumed = run("train", *WORDS, f"--model_dir={REMOTE}")
        inferred = run("infer", f"--model_dir={REMOTE}", "--import=echo", input="say 7919\n")
        flags = ("--all", "--num_examples=2", f"--output_dir={REMOTE}/found", "--import=echo")
        evaluated = [run("eval", f"--model_dir={REMOTE}", *flags) for _ in range(2)]
        yield {
            "folder": folder,
            "second": second,
            "resumed": resumed,
            "inferred": inferred,
            "evaluated": evaluated,
            "found": read("found/results-000060.json"),
            "metrics": read("metrics.jsonl"),
        }


def deterministic(text):
    entries = [json.loads(line) for line in text.splitlines() if line]
    return [{k: v for k, v in e.items() if not k.startswith("perf/")} for e in entries]


def test_a_run_that_was_killed_goes_on_to_the_metrics_of_one_on_a_disk(runs):
    assert runs["resumed"].returncode == 0, told(runs["resumed"])
    assert "resuming from the checkpoint of step" in told(runs["resumed"])
    assert "step 60/60" in told(runs["resumed"])
    here = (runs["folder"] / "here" / "metrics.jsonl").read_text()
    assert deterministic(runs["metrics"]) == deterministic(here)


def test_a_second_run_is_refused(runs):
    assert runs["second"].returncode == 1
    assert "is being written by another run" in told(runs["second"])


def test_it_is_used_from_there(runs):
    assert runs["inferred"].returncode == 0, told(runs["inferred"])
    assert len(runs["inferred"].stdout.splitlines()) == 1


def test_it_is_evaluated_there(runs):
    first, again = runs["evaluated"]
    assert first.returncode == 0, told(first)
    assert first.stdout == again.stdout  # what is there is read
    found = json.loads(runs["found"])
    assert f"step 60: echo/loss {found['metrics']['echo/loss']:.3f}" in first.stdout


def test_other_stores_are_refused(capsys):
    assert main(["train", "--gin_file=quickstart.gin", "--model_dir=s3://bucket/run"]) == 1
    assert "cannot be written to other object stores" in " ".join(capsys.readouterr().err.split())


def test_the_package_for_gs_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(UserError, match=r"Install it with `pip install 't2t\[gcs\]'`"):
        run_folder("gs://bucket/run")


def test_a_bucket_out_of_reach_is_a_message(monkeypatch):
    pytest.importorskip("gcsfs")

    def fail(self):
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(type(epath.Path("gs://bucket/run")), "exists", fail)
    with pytest.raises(UserError, match=r"'gs://bucket/run' cannot be reached: ConnectionError: N"):
        run_folder("gs://bucket/run")


def test_a_folder_has_a_name(capsys):
    assert main(["train", "--gin_file=quickstart.gin", "--model_dir="]) == 1
    assert "The name of a run's folder is empty" in capsys.readouterr().err
