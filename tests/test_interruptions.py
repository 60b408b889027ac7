"""Real processes, really interrupted: what is left goes on and ends with the same bits."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from t2t.models.definition import Model
from t2t.models.presets import t5
from t2t.training.checkpoints import Checkpoints

TASK = """
import t2t
def pairs(split):
    return [{"w": f"{7919 * n}"} for n in range(300 if split == "train" else 20)]
text = t2t.Feature(t2t.ByteVocabulary())
t2t.TaskRegistry.add("echo", source=t2t.FunctionDataSource(pairs, splits=["train", "validation"]),
    preprocessors=[t2t.text_to_text("say {w}", "{w}")],
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
COMMAND = [
    *("train", "--gin_file=quickstart.gin", "--import=echo", "--gin.MIXTURE='echo'"),
    *("--gin.TRAIN_STEPS=400", "--gin.train.log_every=10", "--gin.train.batch_size=8"),
    *("--gin.CheckpointPolicy.every=50", "--gin.EvalPolicy.every=1000"),
    *("--gin.D_MODEL=32", "--gin.D_FF=32", "--gin.HEAD_DIM=8"),
    "--gin.DROPOUT_RATE=0.1",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("interruptions")
    (folder / "echo.py").write_text(TASK)
    return folder


def start(folder, name):
    cache = {"JAX_COMPILATION_CACHE_DIR": jax.config.jax_compilation_cache_dir}
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "1", "PYTHONUNBUFFERED": "1", **cache}
    return subprocess.Popen(
        [sys.executable, "-m", "t2t.cli", *COMMAND, "--model_dir", name],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=environment,
    )


def final_params(run):
    sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    abstract = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding),
        Model(MODEL).abstract_params,
    )
    with Checkpoints(run / "checkpoints") as checkpoints:
        params, step = checkpoints.restore_params(abstract)
    assert step == 400
    return params


@pytest.fixture(scope="module")
def uninterrupted(folder):
    process = start(folder, "whole")
    output, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    return final_params(folder / "whole"), output


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_interrupted_and_resumed_ends_with_the_same_bits(folder, uninterrupted, kind):
    name = kind.name.lower()
    with start(folder, name) as process:
        for line in process.stdout:
            if line.startswith("step 120/400"):
                process.send_signal(kind)
                break
        _, errors = process.communicate(timeout=100)
    if kind == signal.SIGKILL:
        assert process.returncode == -kind
    else:
        assert process.returncode == 128 + kind
        assert f"Stopped by {kind.name} after step" in errors
        assert "Run the same command again to go on" in errors
        assert "Traceback" not in errors

    process = start(folder, name)
    output, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    assert "resuming from the checkpoint of step" in errors
    params, whole_output = uninterrupted
    for a, b in zip(
        jax.tree.leaves(params), jax.tree.leaves(final_params(folder / name)), strict=True
    ):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))

    def table(text):
        return text.split("Held-out results")[1].split("To go on")[0]

    assert table(output) == table(whole_output)
    lines = (folder / name / "metrics.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines if "train/loss" in line]
    assert steps == sorted(set(steps))
    assert steps[-1] == 400


def test_an_impossible_folder_is_one_message(folder):
    (folder / "file").write_text("in the way")
    process = start(folder, "file/run")
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 1
    assert "Traceback" not in errors
    assert "file/run" in " ".join(errors.split())
    assert (folder / "file").read_text() == "in the way"
    assert not Path(folder / "file/run").exists()
