"""What the loop promises of its steps: compiled once, nothing fetched, batches there before."""

import dataclasses
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.training import device_batches, loop
from t2t.training.clock import Clock
from t2t.training.compilations import Compilations, CompiledStep
from t2t.training.host_rows import HostRows
from t2t.training.partitioning import MeshShape
from t2t.training.run_directory import RunDirectory
from t2t.training.speed import PREFIX, Speed, first_start, memory_bytes, peak_flops_of
from t2t.training.throughput import Window
from tests.training.test_loop import log_lines

ROOT = Path(__file__).parents[2]


def test_a_run_compiles_its_step_once_and_fetches_only_for_log_evaluation_and_checkpoint(
    experiment, monkeypatch
):
    """Also across a checkpoint, and after a restart; and goodput is of both."""
    experiment |= {"peak_flops": 1e12}
    run = RunDirectory(Path(experiment["model_dir"]))
    experiment["evaluation"] = dataclasses.replace(experiment["evaluation"], every=12)
    experiment["mixture"] = "tiny_text"  # which is not decoded
    compiled, fetched, step = [], [], [0]
    original = CompiledStep.__call__

    def call(self, state, batch):
        step[0] += 1
        before = self._compilations.count
        result = original(self, state, batch)
        compiled.append(self._compilations.count - before)
        return result

    array = type(jnp.zeros(()))
    value = array._value

    def get(self):
        if threading.current_thread() is threading.main_thread():
            fetched.append(step[0])
        return value.fget(self)

    monkeypatch.setattr(CompiledStep, "__call__", call)
    monkeypatch.setattr(array, "_value", property(get))
    loop.train(**experiment | {"total_steps": 6})
    began = first_start(run)
    loop.train(**experiment)
    assert first_start(run) == began
    assert compiled[0] >= 1
    assert compiled[6] >= 1  # in the second process, as it were
    assert sum(compiled[1:6]) == sum(compiled[7:]) == 0
    # Log lines every four steps, and at the last; the start of the second is at 6.
    assert set(fetched) == {0, 4, 6, 8, 12}

    lines = [line for line in log_lines(experiment) if "perf/goodput" in line]
    productive = sum(line["perf/productive_seconds"] for line in lines)
    assert 0 < lines[-1]["perf/goodput"] < 1
    assert productive / lines[-1]["perf/goodput"] <= time.time() - began
    assert {"perf/mfu", "perf/data_seconds", "perf/memory_bytes"} <= set(lines[-1])


def test_a_step_that_is_compiled_again_is_told(caplog):
    clock = Clock()
    with Compilations() as counted:
        step = CompiledStep(jax.jit(lambda state, batch: (state, batch)), counted, clock)
        for rows in (2, 2, 3):
            step(jnp.zeros(2), {"tokens": np.zeros((rows, 5), np.int32)})
    assert caplog.text.count("compiled again") == 1
    assert "tokens int32[3, 5]" in caplog.text
    assert clock.lap()["compilation"] > 0
    before = counted.count
    jax.jit(lambda x: x + 3.25)(1.0)
    assert counted.count == before  # nobody listens any more


def test_once_compiled_what_fetches_inside_a_step_is_an_error_on_devices():
    levels = []
    program = jax.jit(lambda x: x + 1)

    def step(state, batch):
        levels.append(jax.config.jax_transfer_guard_device_to_host)
        return program(state), batch

    with Compilations() as counted:
        compiled = CompiledStep(step, counted, Clock())
        for _ in range(3):
            compiled(jnp.zeros(3), {})
    assert levels == [None, "disallow", "disallow"]


class Pipeline:
    """Counts the batches that were asked for."""

    def __init__(self):
        self.built = 0

    def batches(self, positions):
        for i in range(positions, 100):
            self.built += 1
            yield {"tokens": np.full((8, 2), i)}, np.array([i + 1])


def test_two_batches_are_on_the_devices_before_they_are_asked_for(monkeypatch):
    sent = []
    original = HostRows.on_devices

    def send(hosts, batch):
        sent.append((threading.current_thread().name, int(batch["tokens"][0, 0])))
        return original(hosts, batch)

    monkeypatch.setattr(HostRows, "on_devices", send)
    pipeline = Pipeline()
    batches = device_batches.DeviceBatches(pipeline, HostRows(MeshShape().mesh()), 0, 5)
    batch, position = next(batches)
    wait_until(lambda: len(sent) == 3)
    assert sent == [("t2t-data", 5), ("t2t-data", 6), ("t2t-data", 7)]
    assert (int(batch["tokens"][0, 0]), position) == (5, 6)
    assert len(batch["tokens"].sharding.device_set) == 8
    next(batches)
    wait_until(lambda: len(sent) == 4)
    batches.close()
    assert pipeline.built == 4


def wait_until(condition, patience=60.0):
    deadline = time.monotonic() + patience
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)  # for one too many


def test_the_clock_shares_out_all_time():
    clock = Clock()
    began = time.perf_counter()
    with clock.of("data"):
        time.sleep(0.02)
    with clock.of("checkpoint", after=jnp.ones(3)):
        time.sleep(0.01)
    with clock.of("data"):
        pass
    time.sleep(0.01)
    seconds = clock.lap()
    assert set(seconds) == {"data", "checkpoint", "step"}
    assert seconds["data"] >= 0.02
    assert seconds["step"] >= 0.01
    assert sum(seconds.values()) == pytest.approx(time.perf_counter() - began, abs=0.05)
    assert set(clock.lap()) == {"step"}
    began = time.perf_counter()
    with clock.of("evaluation"):
        time.sleep(0.1)
    both = clock.take("evaluation") + clock.lap()["step"]
    assert both == pytest.approx(time.perf_counter() - began, abs=0.05)


def window(steps, done):
    return Window({}, [], 0, steps, done, 30.0 * steps)


def test_speed_is_what_arithmetic_says(monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    speed = Speed(tokens=64, flops=1e9, devices=4, peak_flops=1e9, began=900.0, productive=40.0)
    seconds = {"step": 8.0, "data": 2.0, "compilation": 5.0, "checkpoint": 1.0}
    values = {k.removeprefix(PREFIX): v for k, v in speed.values(window(5, 4), seconds).items()}
    expected = {
        "step_seconds": 8.0, "data_seconds": 2.0, "compilation_seconds": 5.0,
        "checkpoint_seconds": 1.0, "step_time": 2.0, "steps_per_second": 0.5,
        "tokens_per_second": 32.0, "target_tokens_per_second": 15.0,
        "productive_seconds": 8.0 * 4 / 5, "mfu": 1e9 / 2 / 4e9, "goodput": (40 + 6.4) / 100,
    }  # fmt: skip
    assert values.pop("memory_bytes") == pytest.approx(memory_bytes(), rel=0.5)
    assert values == pytest.approx(expected)
    after = speed.values(window(0, 0), {"step": 1.0})
    assert after[f"{PREFIX}goodput"] == pytest.approx(0.464)
    assert f"{PREFIX}mfu" not in after
    monkeypatch.setattr(time, "time", lambda: 800.0)  # the clock was set back
    assert f"{PREFIX}goodput" not in speed.values(window(1, 1), {"step": 1.0})


def test_there_is_no_mfu_without_a_peak():
    device = jax.devices()[0]
    assert peak_flops_of(device) is None
    assert peak_flops_of(device, 2e12) == 2e12
    for wrong in (0.0, float("nan"), float("inf")):
        with pytest.raises(UserError, match=r"train\.peak_flops must be above 0"):
            peak_flops_of(device, wrong)


CACHED = """
import os, sys
import jax
jax.jit(lambda x: x + 1)(1.0)  # as in a notebook, before anything of ours
from t2t.compilation_cache import use_compilation_cache
use_compilation_cache()
jax.jit(lambda x: x * 3)(2.0)
"""


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({}, "home/t2t/jax"),
        ({"JAX_COMPILATION_CACHE_DIR": "mine"}, "mine"),
        ({"JAX_ENABLE_COMPILATION_CACHE": "false"}, None),
    ],
)
def test_programs_are_kept_unless_jax_is_told_not_to(tmp_path, environment, folder):
    always = {
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(tmp_path / "home"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    subprocess.run(
        [sys.executable, "-c", CACHED],
        env=os.environ | always | environment,
        cwd=tmp_path,
        check=True,
    )
    kept = {str(p.parent.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert kept == ({folder} if folder else set())
