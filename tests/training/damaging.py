"""Damages every file of a checkpoint in turn, and looks whether that is noticed.

    python -m tests.training.damaging [OFFSETS]

prints the table of docs/checkpoints.md: of each file, OFFSETS places (16 by default) are tried.
"""

import collections
import dataclasses
import logging
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from t2t.training.checkpoints import CheckpointPolicy, Checkpoints
from t2t.training.manifest import damage
from tests.training import checkpointing

POLICY = CheckpointPolicy(every=1, keep_latest=2, keep_best=1)


@dataclasses.dataclass(frozen=True)
class Damage:
    """One way to damage a checkpoint.

    Attributes:
      kind: row of the table.
      file: that is damaged, relative to the checkpoint.
      apply: does it, given the checkpoint's folder.
    """

    kind: str
    file: str
    apply: Callable[[Path], None]


def every_damage(folder: Path, offsets: int) -> Iterator[Damage]:
    """Truncates, removes, flips and overwrites each file under `folder`, and adds files."""
    draw = random.Random(0)
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name, size = str(path.relative_to(folder)), path.stat().st_size
        for length in {0, size // 2, size - 1}:
            yield Damage("truncated", name, _changed(name, lambda b, n=length: b[:n]))
        yield Damage("bytes added", name, _changed(name, lambda b: b + b"\0"))
        yield Damage("removed", name, lambda f, n=name: (f / n).unlink())
        for bit in {0, 8 * size - 1, *(draw.randrange(8 * size) for _ in range(offsets))}:
            yield Damage("bit flipped", name, _changed(name, lambda b, i=bit: _flipped(b, i)))
        start = draw.randrange(size)
        yield Damage("zeroed page", name, _changed(name, lambda b, i=start: _zeroed(b, i)))
    for directory in [folder, *sorted(p for p in folder.rglob("*") if p.is_dir())]:
        name = str((directory / "0123abcd").relative_to(folder))
        yield Damage("file added", name, _added(name))
        if directory != folder:
            inner = str(directory.relative_to(folder))
            yield Damage("folder removed", inner, lambda f, n=inner: shutil.rmtree(f / n))
    yield Damage("all files removed", ".", _emptied)


def noticed(original: Path, folder: Path, damaged: Damage) -> bool:
    """Whether the damage is found in `folder`, a copy of `original`; it is mended afterwards."""
    damaged.apply(folder)
    found = damage(folder) is not None
    source, target = original / damaged.file, folder / damaged.file
    if source.is_file():
        shutil.copyfile(source, target)
    elif source.is_dir():
        shutil.rmtree(folder)
        shutil.copytree(original, folder)
    else:
        target.unlink()
    return found


def survived(run: Path, damaged: Damage, scratch: Path, state) -> bool:
    """Whether a copy of `run` goes on from step 1, and the damaged step 2 is saved anew."""
    shutil.rmtree(scratch, ignore_errors=True)
    folder = Path(shutil.copytree(run, scratch / "checkpoints"))
    damaged.apply(folder / "2")
    with Checkpoints(folder, POLICY) as checkpoints:
        restored, data = checkpoints.restore(checkpointing.abstract())
        checkpointing.assert_same(restored, checkpointing.at(state, 1))
        assert data == {"positions": [1]}
        checkpoints.save(checkpointing.at(state, 2), {"positions": [2]}, {"loss": 2.0})
    checkpointing.assert_newest(folder, state, 2)
    return (folder.parent / "damaged" / "2").is_dir()


def save(folder: Path):
    """Saves steps 1 and 2 as a run does; returns the state of step 0."""
    state = checkpointing.make_state()
    checkpointing.save_steps(folder, state, [1, 2], POLICY, {1: 1.0, 2: 2.0})
    return state


def _changed(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        before = (folder / name).read_bytes()
        after = change(before)
        (folder / name).write_bytes(after if after != before else _flipped(before, 0))

    return apply


def _added(name: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        (folder / name).write_bytes(b"x")

    return apply


def _emptied(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def _flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _zeroed(content: bytes, start: int) -> bytes:
    return content[:start] + bytes(min(4096, len(content) - start)) + content[start + 4096 :]


def main(offsets: int) -> None:
    """Prints the table."""
    logging.disable(logging.WARNING)
    tried: collections.Counter[str] = collections.Counter()
    found: collections.Counter[str] = collections.Counter()
    used: collections.Counter[str] = collections.Counter()
    files: dict[str, set[str]] = collections.defaultdict(set)
    with tempfile.TemporaryDirectory() as temporary:
        run, scratch = Path(temporary) / "run", Path(temporary) / "scratch"
        state = save(run)
        copy = Path(shutil.copytree(run / "2", Path(temporary) / "copy"))
        restarted: set[tuple[str, str]] = set()
        for case in every_damage(run / "2", offsets):
            tried[case.kind] += 1
            files[case.kind].add(case.file)
            found[case.kind] += noticed(run / "2", copy, case)
            part = case.kind, case.file.split("/")[0]
            if part not in restarted:  # a whole restart, once for each part of a checkpoint
                restarted.add(part)
                used[case.kind] += survived(run, case, scratch, state)
    print("| kind | files | cases | detected | restarts | from the step before |")
    print("|---|---|---|---|---|---|")
    for kind, cases in tried.items():
        restarts = sum(kind == restarted_kind for restarted_kind, _ in restarted)
        print(
            f"| {kind} | {len(files[kind])} | {cases} | {found[kind]} | {restarts} | {used[kind]} |"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 16)
