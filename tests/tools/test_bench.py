"""The train step's benchmark: what it stores is complete and consistent, mistakes are one line."""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from t2t.errors import UserError
from t2t.models.config import Compute
from t2t.models.presets import t5
from t2t.models.serialization import from_dict
from t2t.training.flops import train_flops
from t2t.training.optimizers import sgd
from t2t.training.partitioning import MeshShape
from t2t.training.schedules import constant_schedule

BENCH = Path(__file__).resolve().parents[2] / "tools" / "bench"
TINY = {
    "vocab_size": 64,
    "d_model": 16,
    "d_ff": 32,
    "num_heads": 2,
    "head_dim": 8,
    "num_encoder_layers": 1,
    "num_decoder_layers": 1,
}


def _bench(*words: str, devices: int = 1) -> subprocess.CompletedProcess:
    """Runs from another folder, with the repository on no path, as on a bare machine."""
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": str(devices)}
    environment.pop("PYTHONPATH", None)
    command = [sys.executable, str(BENCH / "train_step.py"), "--gin_file", "models/bytes_tiny.gin"]
    return subprocess.run(
        [*command, *words], capture_output=True, text=True, cwd="/", env=environment, check=False
    )


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """Figures of one short run on two simulated devices, and what it printed."""
    output = tmp_path_factory.mktemp("bench") / "report.json"
    bindings = [f"--gin.{name.upper()}={value}" for name, value in TINY.items()]
    process = _bench(
        *bindings,
        *("--inputs_length=8", "--targets_length=4", "--batch_size=8", "--microbatches=2"),
        *("--mesh=1,2,1", "--remat=none", "--steps=5", "--warmup=1", f"--output={output}"),
        devices=2,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(output.read_text()), process.stdout


def test_speeds_follow_from_the_median(result):
    report, _ = result
    times = report["step_seconds"]
    assert len(times["all"]) == 5
    assert times["median"] == statistics.median(times["all"])
    assert 0 < times["min"] <= times["median"] <= times["max"]
    assert 0 <= times["iqr"] <= times["max"] - times["min"]
    assert report["tokens_per_step"] == 8 * (8 + 4)
    assert report["tokens_per_second"] == pytest.approx(96 / times["median"])
    assert report["sequences_per_second"] == pytest.approx(8 / times["median"])


def test_utilisation_is_against_the_measured_rate(result):
    report, _ = result
    rate = report["matmul_flops_per_second"]
    flops = train_flops(t5(**TINY), 8, 4, batch_size=8)
    assert report["model_flops_per_step"] == flops
    assert report["model_flops_per_second"] == pytest.approx(
        flops / report["step_seconds"]["median"]
    )
    assert rate["mean"] == pytest.approx((rate["before"] + rate["after"]) / 2)
    assert min(rate["before"], rate["after"]) > 0
    # The two simulated devices share the cores that gave the rate.
    assert report["mfu"] == pytest.approx(report["model_flops_per_second"] / rate["mean"])


def test_says_what_was_measured(result):
    report, printed = result
    assert report["versions"]["jax"] == jax.__version__
    compute = Compute(dtype="float32", remat="none")
    activations = from_dict(report["model"]).encoder.feed_forward.activations
    expected = t5(**TINY, activations=activations, compute=compute)
    assert from_dict(report["model"]) == expected
    assert report["mesh"] == {"data": 1, "fsdp": 2, "sequence": 1, "tensor": 1}
    assert (report["platform"], report["device_count"]) == ("cpu", 2)
    assert (report["optimizer"], report["microbatches"]) == ("adafactor", 2)
    for name in ("parameters", "lower_seconds", "compile_seconds", "first_step_seconds"):
        assert report[name] > 0
    assert report["peak_memory_bytes"] > 4 * report["parameters"] / 2
    assert 0 < report["loss"] < 10
    assert f"{report['parameters']:,} parameters, float32, adafactor" in printed
    assert f"{report['tokens_per_second']:,.0f} tokens/s" in printed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--gin_file=models/byte_tiny.gin"], "Did you mean 'models/bytes_tiny.gin'"),
        (["--batch_size=6", "--microbatches=4"], "6 rows does not divide over 4 microbatches"),
        (["--compare_torch", "--optimizer=adafactor"], "compares AdamW"),
    ],
)
def test_mistakes_are_one_line(words, message):
    process = _bench(*words)
    assert process.returncode == 1
    assert process.stdout == ""
    assert process.stderr.startswith("train_step: error: ")
    assert message in process.stderr
    assert process.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("plan_limit", "real_limit", "rows"),
    [
        (5_000, 5_000, 64),  # 1000 for the state and 50 a row: 80 rows, but 64 is a power of two
        (5_000, 3_000, 32),  # the plan was too hopeful
        (1_250, 1_250, 4),  # two devices and two microbatches: no less
        (1_100, 1_100, None),
    ],
)
def test_auto_takes_the_most_rows_that_fit(monkeypatch, plan_limit, real_limit, rows):
    monkeypatch.syspath_prepend(BENCH)
    import measure

    class FakeStep:
        def __init__(self, config, optimizer, mesh, rows, shape):
            self.rows = rows

        def planned_bytes(self):
            return 1_000 + 50 * self.rows

        def start(self):
            if self.planned_bytes() > real_limit:
                raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")

        def __call__(self):
            pass

    monkeypatch.setattr(measure, "TrainStep", FakeStep)
    monkeypatch.setattr(measure, "_memory_limit", lambda: plan_limit)
    mesh = MeshShape(data=2).mesh(jax.devices()[:2])
    shape = measure.Shape(inputs_length=64, targets_length=32, microbatches=2)
    arguments = (t5(**TINY), sgd(constant_schedule(0.1)), mesh, shape)
    if rows is None:
        with pytest.raises(UserError, match="Not even 4 rows fit"):
            measure.largest_step(*arguments)
    else:
        assert measure.largest_step(*arguments)[0].rows == rows


def test_runners_take_turns(monkeypatch):
    monkeypatch.syspath_prepend(BENCH)
    import measure

    calls = []
    runners = {name: lambda name=name: calls.append(name) for name in "ABC"}
    seconds = measure.interleaved(runners, warmup=1, steps=2)
    assert calls == list("ABC" * 3)
    assert {name: len(times) for name, times in seconds.items()} == {"A": 2, "B": 2, "C": 2}
    assert measure.spread([1.0])["iqr"] == 0


SHORT = {
    "gpt2_small": (*("VOCAB_SIZE=64", "D_MODEL=16", "D_FF=32"), "NUM_HEADS=2", "NUM_LAYERS=1"),
    "bert_base": (*("VOCAB_SIZE=64", "D_MODEL=16", "D_FF=32"), "NUM_HEADS=2", "NUM_LAYERS=1"),
}


@pytest.mark.parametrize("name", SHORT)
def test_every_architecture_takes_a_step(monkeypatch, name):
    monkeypatch.syspath_prepend(BENCH)
    import measure
    import model_file

    config = model_file.load(
        f"models/{name}.gin", [word.replace("=", " = ") for word in SHORT[name]]
    )
    shape = measure.Shape(inputs_length=8, targets_length=4, microbatches=1)
    batch = measure.synthetic_batch(config, 2, shape)
    lengths = {len(row) for array in batch.values() for row in array}
    assert lengths == ({8} if config.loss_side == "encoder" else {12})
    mesh = MeshShape().mesh(jax.devices()[:1])
    step = measure.TrainStep(config, sgd(constant_schedule(0.1)), mesh, 2, shape)
    step.start()
    step()
    assert 3 < step.loss() < 6  # log 64 is 4.2


def test_a_file_without_a_model_is_named(monkeypatch):
    monkeypatch.syspath_prepend(BENCH)
    import model_file

    with pytest.raises(UserError, match="MODEL"):
        model_file.load("models/t5_1_1.gin", [])
