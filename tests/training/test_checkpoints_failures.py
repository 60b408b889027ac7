"""Disks that are full or read-only: what is saved stays, and training stops or goes on.

In processes of their own: what Orbax leaves of a save that failed warns for long afterwards.
"""

import contextlib
import logging
import multiprocessing
import shutil
import subprocess
from types import SimpleNamespace

import pytest

from t2t.errors import UserError
from t2t.training import sealing
from t2t.training.checkpoints import CheckpointPolicy, Checkpoints
from tests.training.killing import newest, state_of

STOP = CheckpointPolicy(keep_latest=9)
CONTINUE = CheckpointPolicy(keep_latest=9, on_failure="continue")


@contextlib.contextmanager
def mounted(*arguments):
    """`mount` with these arguments, the last of which is where; skips without the right to."""
    command = ["mount", *map(str, arguments)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no right to mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(arguments[-1])], check=True)


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a file system of 5 MB; a checkpoint has 0.8 MB."""
    (tmp_path / "small").mkdir()
    with mounted("-t", "tmpfs", "-o", "size=5m", "tmpfs", tmp_path / "small"):
        yield tmp_path / "small" / "checkpoints"


def run(scenario, *arguments):
    """Runs it in a process of its own; its assertions are on stderr."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["t2t.training.checkpoints"])
    process = context.Process(target=scenario, args=arguments)
    process.start()
    process.join(300)
    assert process.exitcode == 0


def save(checkpoints, step, wait=True):
    checkpoints.save(state_of(step), {"positions": [step]})
    if wait:
        checkpoints.wait()


def assert_left(folder, steps):
    """These checkpoints and nothing else, and the newest can be read."""
    assert sorted(path.name for path in folder.iterdir()) == [str(step) for step in steps]
    with Checkpoints(folder) as checkpoints:
        assert newest(checkpoints) == steps[-1]


def without_foresight():
    """Nobody looks beforehand how much space is left."""
    shutil.disk_usage = lambda _: SimpleNamespace(free=1 << 40)


def fill_up(folder, left=64 * 1024):
    """Takes all space that there is, but for a little."""
    ballast = folder.parent / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    with ballast.open("r+b") as file:
        file.truncate(ballast.stat().st_size - left)
    return ballast


def foresee(folder):
    with Checkpoints(folder, STOP) as checkpoints:
        save(checkpoints, 1)
        fill_up(folder)
        with pytest.raises(UserError, match=r"no space left: .*step 1 is intact.*Free some space"):
            save(checkpoints, 2)
    assert_left(folder, [1])


def stop(folder):
    without_foresight()
    with Checkpoints(folder, STOP) as checkpoints:
        save(checkpoints, 1)
        fill_up(folder)
        with pytest.raises(UserError, match=r"no space left on device.*step 1 is intact"):
            save(checkpoints, 2)
    assert_left(folder, [1])


def go_on(folder):
    without_foresight()
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logging.getLogger("t2t.training.checkpoints").addHandler(handler)
    with Checkpoints(folder, CONTINUE) as checkpoints:
        save(checkpoints, 1)
        ballast = fill_up(folder)
        save(checkpoints, 2, wait=False)
        save(checkpoints, 3, wait=False)
        with pytest.raises(UserError, match=r"no space left on device.*Free some space"):
            checkpoints.wait()  # as long as the last has failed
        assert checkpoints.failures == len(lines) == 2
        assert all("no space left on device" in x and "Training goes on" in x for x in lines)
        ballast.unlink()
        save(checkpoints, 4)
    assert_left(folder, [1, 4])


def fail_at_last(folder):
    without_foresight()
    with (
        pytest.raises(UserError, match=r"no space left on device.*step 1 is intact"),
        Checkpoints(folder, CONTINUE) as checkpoints,
    ):
        save(checkpoints, 1)
        fill_up(folder)
        save(checkpoints, 2, wait=False)
    assert_left(folder, [1])


@pytest.mark.parametrize("scenario", [foresee, stop, go_on, fail_at_last])
def test_a_full_disk(small_disk, scenario):
    run(scenario, small_disk)


def be_read_only(folder, policy):
    with Checkpoints(folder, policy) as checkpoints:
        save(checkpoints, 1)
        subprocess.run(["mount", "--bind", folder, folder], check=True)
        with mounted("-o", "remount,ro,bind", folder):
            with pytest.raises(UserError, match=r"Read-only file system.*step 1 is intact"):
                save(checkpoints, 2)
            assert_left(folder, [1])
        save(checkpoints, 3)
    assert checkpoints.failures == (policy == CONTINUE)
    assert_left(folder, [1, 3])


@pytest.mark.parametrize("policy", [STOP, CONTINUE])
def test_a_read_only_folder(tmp_path, policy):
    (tmp_path / "probe").mkdir()
    with mounted("--bind", tmp_path / "probe", tmp_path / "probe"):
        run(be_read_only, tmp_path / "checkpoints", policy)


def lack_a_manifest(folder):
    def broken(_):
        raise OSError("Input/output error")

    with Checkpoints(folder, STOP) as checkpoints:
        save(checkpoints, 1)
        sealing.write_manifest = broken
        with pytest.raises(UserError, match=r"Input/output error.*step 1 is intact"):
            save(checkpoints, 2)
    assert_left(folder, [1])


def test_a_manifest_that_cannot_be_written(tmp_path):
    run(lack_a_manifest, tmp_path / "checkpoints")
