"""Kills a process that saves and deletes checkpoints, again and again, and looks what is left.

    python -m tests.training.killing [KILLS]

Every process goes on from what the one before left, and is killed either just before its n-th
change of the run's folder by Python (files opened for writing, renamed, removed, folders made and
removed), for n = 1, 2, 3 …, or at a random time, which hits the writing of arrays, too.
"""

import collections
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from t2t.training.checkpoints import CheckpointPolicy, Checkpoints
from t2t.training.manifest import damage
from t2t.training.state import TrainState

# Events of Python's audit hooks, with the place of their dir_fd.
OPERATIONS = {"open": None, "os.rename": 2, "os.remove": 1, "os.rmdir": 1, "os.mkdir": 2}
POLICY = CheckpointPolicy(every=1, keep_latest=1, keep_best=1)
SIZE = 100_000


class Kill(NamedTuple):
    """When to kill: before this operation (from 1), or after so many seconds."""

    operation: int | None = None
    seconds: float | None = None


class Left(NamedTuple):
    """What a killed process left behind.

    Attributes:
      operation: it was about to do; None if it was killed at a random time, or saved all it had to.
      committed: the last step it knew to be saved.
      restored: the newest that could be read, bit for bit; None if none.
    """

    operation: str | None
    committed: int
    restored: int | None


def state_of(step: int) -> TrainState:
    """What is saved at `step`."""
    values = np.random.default_rng(step).standard_normal(SIZE).astype(np.float32)
    params = {"w": jnp.asarray(values)}
    return TrainState(jnp.array(step, jnp.int32), params, {"m": params["w"] * 2})


def abstract() -> TrainState:
    """Shapes, dtypes and shardings of it."""
    sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding),
        jax.eval_shape(lambda: jax.tree.map(jnp.asarray, state_of(0))),
    )


def newest(checkpoints: Checkpoints) -> int | None:
    """The step of what is restored, which has to be what was saved."""
    restored = checkpoints.restore(abstract())
    if restored is None:
        return None
    state, data = restored
    step = int(state.step)
    assert data == {"positions": [step]}
    jax.tree.map(
        lambda a, b: np.testing.assert_array_equal(np.asarray(a), np.asarray(b)),
        state,
        state_of(step),
    )
    return step


def attempt(folder: Path, kill: Kill) -> Left:
    """Starts a process that goes on saving in `folder`, has it killed, and reads what is left.

    Raises:
      AssertionError: if it is not the last checkpoint that the process knew to be saved, or the one
        after, bit for bit; or if a folder with a step's name is not as it was saved.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["t2t.training.checkpoints"])
    operation = None
    committed = max((int(p.name) for p in _steps(folder)), default=0)
    ours, theirs = context.Pipe()
    process = context.Process(target=_save_on, args=(folder, kill, theirs))
    process.start()
    theirs.close()
    while True:
        try:
            kind, value = ours.recv()
        except EOFError:
            break
        if kind == "committed":
            committed = value
        else:
            operation = value
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
    for step in _steps(folder):
        assert damage(step) is None, damage(step)
    restored = None
    if folder.exists():
        with Checkpoints(folder) as checkpoints:
            restored = newest(checkpoints)
    assert (restored or 0) in (committed, committed + 1), (restored, committed)
    return Left(operation, committed, restored)


def _steps(folder: Path) -> list[Path]:
    return [p for p in folder.iterdir() if p.name.isdecimal()] if folder.exists() else []


def _save_on(folder: Path, kill: Kill, report: Connection) -> None:
    if kill.operation is not None:
        _die_before(kill.operation, str(folder), report)
    with Checkpoints(folder, POLICY) as checkpoints:
        first = newest(checkpoints) or 0
        report.send(("committed", first))
        if kill.seconds is not None:
            threading.Thread(target=_die_after, args=(kill.seconds,), daemon=True).start()
        for step in range(first + 1, first + 4):
            # Every third is the best so far, so that older ones are deleted, too.
            checkpoints.save(
                state_of(step), {"positions": [step]}, {"loss": step % 3 - step / 1000}
            )
            checkpoints.wait()
            report.send(("committed", step))


def _die_before(count: int, folder: str, report: Connection) -> None:
    seen = 0

    def hook(event: str, args: tuple) -> None:
        nonlocal seen
        path = _changed_path(event, args)
        if path is None or not path.startswith(folder):
            return
        seen += 1
        if seen == count:
            where = path.removeprefix(folder).lstrip("/")
            report.send(("operation", f"{event} {where}"))
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def _changed_path(event: str, args: tuple) -> str | None:
    if event not in OPERATIONS or isinstance(args[0], int):
        return None
    if event == "open" and not args[2] & (os.O_WRONLY | os.O_RDWR):
        return None
    place = OPERATIONS[event]
    path = os.fsdecode(args[0])
    if place is not None and args[place] >= 0:
        path = os.path.join(os.readlink(f"/proc/self/fd/{args[place]}"), path)
    return path


def _die_after(seconds: float) -> None:
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)


def main(kills: int) -> None:
    """Kills, and prints how it went, also if interrupted; the first error stops it."""
    outcomes: collections.Counter[tuple[str, str]] = collections.Counter()
    with tempfile.TemporaryDirectory() as temporary:
        try:
            for kind, left in trials(Path(temporary) / "checkpoints", kills):
                after = (left.restored or 0) - left.committed
                outcomes[kind, ("the last known to be saved", "the one after")[after]] += 1
        finally:
            for (kind, restored), count in sorted(outcomes.items()):
                print(f"{count:5}  killed {kind}: restored {restored}, bit for bit")
            print(f"{sum(outcomes.values())} kills", flush=True)


def trials(folder: Path, kills: int) -> Iterator[tuple[str, Left]]:
    """Kills in turn at random times and before one operation after the other; says which."""
    draw = random.Random(0)
    operation = 0
    for trial in range(kills):
        if trial % 2:
            yield "at a random time", attempt(folder, Kill(seconds=draw.uniform(0, 1)))
            continue
        operation += 1
        left = attempt(folder, Kill(operation=operation))
        if left.operation is None:
            operation = 0  # it saved all it had to: begin at the first again
            continue
        event, _, path = left.operation.partition(" ")
        yield f"before {event} of {_part(path)}", left


def _part(path: str) -> str:
    if not path:
        return "the folder"
    if "manifest.json" in path:
        return "the manifest"
    if path.startswith("deleted"):
        return "what is deleted"
    return "an unfinished checkpoint" if "tmp" in path.split("/")[0] else "a checkpoint"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
