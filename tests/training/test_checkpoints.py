"""Saving, keeping, restoring; and what happens to damaged, unfinished and impossible saves."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.models.definition import Model
from t2t.training import optimizers, schedules
from t2t.training.checkpoints import CheckpointPolicy, Checkpoints
from t2t.training.partitioning import MeshShape
from t2t.training.start import abstract_sharded_state
from t2t.training.state import init_state, state_shardings
from tests.training.conftest import TINY

MODEL = Model(TINY)
OPTIMIZER = optimizers.adafactor(schedules.constant_schedule(1e-3))


@pytest.fixture(scope="module")
def state():
    return jax.jit(lambda: init_state(MODEL, OPTIMIZER, 0))()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "checkpoints"


def abstract(mesh_shape=None):
    return abstract_sharded_state(MODEL, OPTIMIZER, (mesh_shape or MeshShape()).mesh())


def at(state, step):
    """The state as of `step`, with parameters that tell steps apart."""
    params = jax.tree.map(lambda x: x + step, state.params)
    return state._replace(step=jnp.array(step, jnp.int32), params=params)


def save_steps(folder, state, steps, policy=None, losses=None):
    with Checkpoints(folder, policy or CheckpointPolicy(keep_latest=9)) as checkpoints:
        for step in steps:
            metrics = {"loss": losses[step]} if losses else None
            checkpoints.save(at(state, step), {"positions": [step]}, metrics)


def biggest_file(folder):
    files = [p for p in folder.rglob("*") if p.is_file() and p.name != "manifest.json"]
    return max(files, key=lambda p: p.stat().st_size)


def assert_same(left, right):
    jax.tree.map(
        lambda a, b: np.testing.assert_array_equal(np.asarray(a), np.asarray(b)), left, right
    )


@pytest.mark.parametrize("shape", [MeshShape(), MeshShape(2, 2, 2), MeshShape(1, 8, 1)])
def test_round_trip_onto_any_mesh(folder, state, shape):
    shardings = state_shardings(MODEL, OPTIMIZER, MeshShape(1, 4, 2).mesh())
    save_steps(folder, jax.device_put(state, shardings), [3])
    with Checkpoints(folder) as checkpoints:
        restored, data = checkpoints.restore(abstract(shape))
        params, step = checkpoints.restore_params(abstract(shape).params)
    assert data == {"positions": [3]}
    assert step == int(restored.step) == 3
    assert jax.tree.structure(restored) == jax.tree.structure(state)
    assert_same(restored, at(state, 3))
    assert_same(params, restored.params)
    embedding = restored.params["token_embedder"]["embedding"]
    assert embedding.sharding == abstract(shape).params["token_embedder"]["embedding"].sharding


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        (CheckpointPolicy(keep_latest=2), [5, 6]),
        (CheckpointPolicy(keep_latest=1, keep_every=3), [3, 6]),
        (CheckpointPolicy(keep_latest=1, keep_best=2), [2, 4, 6]),
        (CheckpointPolicy(keep_latest=1, keep_best=1, best_mode="max"), [5, 6]),
    ],
)
def test_what_is_kept(folder, state, policy, kept):
    losses = {1: 5.0, 2: 1.0, 3: 4.0, 4: 2.0, 5: 9.0, 6: 3.0}
    save_steps(folder, state, [1, 2, 3], policy, losses)
    save_steps(folder, state, [4, 5, 6], policy, losses)  # the best survive a restart
    with Checkpoints(folder) as checkpoints:
        assert checkpoints.steps() == kept


def test_no_checkpoint_is_none_for_training_and_an_error_for_use(folder, state):
    with Checkpoints(folder, CheckpointPolicy()) as checkpoints:
        assert checkpoints.restore(abstract()) is None
        with pytest.raises(UserError, match="There is no checkpoint in"):
            checkpoints.restore_params(abstract().params)
    save_steps(folder, state, [1, 2])
    with Checkpoints(folder) as checkpoints:
        assert checkpoints.restore_params(abstract().params, 1)[1] == 1
        with pytest.raises(UserError, match=r"no checkpoint of step 7 .*there are 1, 2"):
            checkpoints.restore_params(abstract().params, 7)


def flip_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-10])


DAMAGE = {
    "flipped bit": (flip_bit, "does not match its checksum"),
    "truncated": (truncate, "bytes instead of"),
    "missing": (lambda path: path.unlink(), "is missing"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_named_and_falls_back_on_request(folder, state, kind):
    save_steps(folder, state, [1, 2, 3])
    damage, message = DAMAGE[kind]
    file = biggest_file(folder / "3")
    damage(file)
    with Checkpoints(folder, CheckpointPolicy(keep_latest=9)) as checkpoints:
        with pytest.raises(UserError, match=message) as error:
            checkpoints.restore(abstract())
        assert str(file) in str(error.value)
        assert "--fall_back" in str(error.value)
        restored, data = checkpoints.restore(abstract(), fall_back=True)
        assert data == {"positions": [2]}
        assert_same(restored, at(state, 2))
        checkpoints.save(at(state, 3), {"positions": [3]})  # its step is free again
    assert (folder.parent / "damaged" / "3").is_dir()
    with Checkpoints(folder) as checkpoints:
        assert_same(checkpoints.restore(abstract())[0], at(state, 3))


def test_all_damaged_is_an_error_even_with_fall_back(folder, state):
    save_steps(folder, state, [1])
    flip_bit(biggest_file(folder / "1"))
    with Checkpoints(folder) as checkpoints, pytest.raises(UserError, match="None of the check"):
        checkpoints.restore(abstract(), fall_back=True)


def test_a_checkpoint_of_other_shapes_is_one_clear_error(folder, state):
    save_steps(folder, state, [1])
    wider = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct((*x.shape, 2), x.dtype, sharding=x.sharding),
        abstract().params,
    )
    with (
        Checkpoints(folder) as checkpoints,
        pytest.raises(UserError, match=r"another model: parameter decoder"),
    ):
        checkpoints.restore_params(wider)


def test_manifest_covers_every_file(folder, state):
    save_steps(folder, state, [1])
    manifest = json.loads((folder / "1" / "manifest.json").read_text())
    files = {str(p.relative_to(folder / "1")) for p in (folder / "1").rglob("*") if p.is_file()}
    assert set(manifest) == files - {"manifest.json"}


def test_full_disk_is_noticed_before_writing(folder, state, monkeypatch):
    save_steps(folder, state, [1])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
    with Checkpoints(folder, CheckpointPolicy()) as checkpoints:
        with pytest.raises(UserError, match=r"no space left.*step 1 is intact.*Free some space"):
            checkpoints.save(at(state, 2), {})
        assert checkpoints.steps() == [1]
    assert [p.name for p in folder.iterdir()] == ["1"]


SAVER = """
import pathlib, shutil, sys, types
import jax, jax.numpy as jnp
from tests.training.test_checkpoints import MODEL, OPTIMIZER, at
from t2t.errors import UserError
from t2t.training.checkpoints import CheckpointPolicy, Checkpoints
from t2t.training.state import init_state
{setup}
state = jax.jit(lambda: init_state(MODEL, OPTIMIZER, 0))()
with Checkpoints(pathlib.Path({folder!r}), CheckpointPolicy(keep_latest=3)) as checkpoints:
    for step in range(1, 500):
        checkpoints.save(at(state, step), {{"positions": [step]}})
        print(step, flush=True)
"""


def start_saver(folder, setup=""):
    code = SAVER.format(folder=str(folder), setup=setup)
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("after", [2, 5])
def test_kill_in_the_middle_of_a_save_leaves_complete_checkpoints(folder, state, after):
    with start_saver(folder) as saver:
        for line in saver.stdout:
            if int(line) == after:  # the save of this step has begun, and runs in the background
                saver.send_signal(signal.SIGKILL)
                break
        saver.stderr.close()
    with Checkpoints(folder, CheckpointPolicy(keep_latest=3)) as checkpoints:
        restored, data = checkpoints.restore(abstract())
        step = int(restored.step)
        assert step >= after - 1
        assert data == {"positions": [step]}
        assert_same(restored.params, at(state, step).params)
        checkpoints.save(at(state, step + 1), {"positions": [step + 1]})
    with Checkpoints(folder) as checkpoints:
        assert checkpoints.steps()[-1] == step + 1
    assert not list(folder.glob("*tmp*"))


def test_a_manifest_that_cannot_be_written_is_no_traceback(folder, state, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("t2t.training.checkpoints.write_manifest", full)
    with (
        pytest.raises(UserError, match=r"checkpoint of step 1 .*no space left on device"),
        Checkpoints(folder, CheckpointPolicy()) as checkpoints,
    ):
        checkpoints.save(at(state, 1), {})
    with Checkpoints(folder) as checkpoints:
        restored, _ = checkpoints.restore(abstract())
    assert int(restored.step) == 1


def test_really_full_disk_keeps_the_checkpoint_before(tmp_path, state):
    """On a file system of 1 MB, with the early check off; needs the right to mount one."""
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no right to mount a small file system")
    try:
        setup = "shutil.disk_usage = lambda _: types.SimpleNamespace(free=1 << 40)"
        with start_saver(small / "checkpoints", setup) as saver:
            _, errors = saver.communicate(timeout=120)
        assert saver.returncode == 1
        message = next(line for line in errors.splitlines() if "UserError" in line)
        assert "no space left on device" in message
        assert "is intact" in message
        with Checkpoints(small / "checkpoints") as checkpoints:
            restored, data = checkpoints.restore(abstract())
        assert data == {"positions": [int(restored.step)]}
        assert_same(restored.params, at(state, int(restored.step)).params)
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_best_metric_that_is_not_there_is_named(folder, state):
    policy = CheckpointPolicy(keep_best=1, best_metric="spelling/exact_mtch")
    with Checkpoints(folder, policy) as checkpoints:
        with pytest.raises(UserError, match="Did you mean 'spelling/exact_match'"):
            checkpoints.save(at(state, 1), {}, {"loss": 1.0, "spelling/exact_match": 0.5})
        checkpoints.save(at(state, 2), {})  # no evaluation at this step


@pytest.mark.parametrize(
    "arguments", [{"every": 0}, {"keep_latest": 0}, {"keep_best": -1}, {"best_mode": "least"}]
)
def test_bad_policies(arguments):
    with pytest.raises(UserError, match=next(iter(arguments))):
        CheckpointPolicy(**arguments)
