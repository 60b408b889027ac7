"""What two runs left, compared bit for bit or, for arrays, within a tolerance."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

_TIMING = re.compile(r"^perf/|_per_second$")
_SAME_FILES = ("config.gin", "model.json", "parameters.txt")


def last_step(run: Path) -> int:
    """The newest step with a checkpoint."""
    return max(int(path.name) for path in (run / "checkpoints").iterdir() if path.name.isdigit())


def arrays(run: Path) -> dict[str, np.ndarray]:
    """Parameters and optimiser state of the last checkpoint, by name."""
    folder = run / "checkpoints" / str(last_step(run))
    found = {}
    with ocp.PyTreeCheckpointer() as checkpointer:
        for item in ("params", "train"):
            tree: Any = checkpointer.metadata(folder / item).item_metadata.tree
            as_numpy = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), tree)
            restored = checkpointer.restore(folder / item, restore_args=as_numpy)
            for path, leaf in jax.tree_util.tree_leaves_with_path(restored):
                found[item + jax.tree_util.keystr(path)] = np.asarray(leaf)
    return found


def position(run: Path) -> Any:
    """The item `data` of the last checkpoint."""
    return json.loads((run / "checkpoints" / str(last_step(run)) / "data/metadata").read_text())


def differences(whole: Path, other: Path) -> list[str]:
    """In what two runs differ; nothing if they are equal bit for bit."""
    steps = last_step(whole), last_step(other)
    if steps[0] != steps[1]:
        return [f"the last steps are {steps[0]} and {steps[1]}"]
    left, right = arrays(whole), arrays(other)
    found = [
        name
        for name in sorted({*left, *right})
        if name not in left or name not in right or not _same_bits(left[name], right[name])
    ]
    found += ["data"] if position(whole) != position(other) else []
    found += [f for f in _SAME_FILES if not _same_file(whole / f, other / f, whole, other)]
    found += differing_metrics(whole, other) + differing_predictions(whole, other)
    return found


def differing_metrics(whole: Path, other: Path) -> list[str]:
    """Steps and names of metrics.jsonl that differ, but for what tells time."""
    left, right = _metrics(whole), _metrics(other)
    found = []
    for at in sorted({*left, *right}):
        values = left.get(at, {}), right.get(at, {})
        names = sorted(n for n in {*values[0], *values[1]} if values[0].get(n) != values[1].get(n))
        found += [f"metrics.jsonl, step {at[0]}: {name}" for name in names]
        if (at in left) != (at in right):
            found.append(f"metrics.jsonl, step {at[0]}: a line of one run alone")
    return found


def differing_predictions(whole: Path, other: Path) -> list[str]:
    """Names of files of predictions that differ, or that only one run has."""
    left, right = ({p.name: p.read_bytes() for p in (r / "eval").iterdir()} for r in (whole, other))
    return [f"eval/{n}" for n in sorted({*left, *right}) if left.get(n) != right.get(n)]


def differing_batches(whole: Sequence[str], resumed_from: int, batches: Sequence[str]) -> list[int]:
    """Steps whose batch is not that of the uninterrupted run, as far as both built it."""
    expected = whole[resumed_from:]
    pairs = enumerate(zip(expected, batches, strict=False), resumed_from + 1)
    return [step for step, (left, right) in pairs if left != right]


def largest_difference(whole: Path, other: Path) -> float:
    """Between parameters: relative to the root mean square of each array."""
    left, right = arrays(whole), arrays(other)
    worst = 0.0
    for name, array in left.items():
        if name.startswith("params"):
            scale = float(np.sqrt(np.mean(np.square(array)))) or 1.0
            worst = max(worst, float(np.max(np.abs(array - right[name]))) / scale)
    return worst


def _same_bits(left: np.ndarray, right: np.ndarray) -> bool:
    return (left.dtype, left.shape, left.tobytes()) == (right.dtype, right.shape, right.tobytes())


def _same_file(left: Path, right: Path, whole: Path, other: Path) -> bool:
    """Where a run is, is all that its files may say of its folder."""
    texts = [path.read_text() for path in (left, right)]
    return len({t.replace(str(whole), "").replace(str(other), "") for t in texts}) == 1


def _metrics(run: Path) -> dict[tuple[int, int], dict[str, float]]:
    """Values by step and number of the line among those of the step, but for those of time."""
    lines: dict[tuple[int, int], dict[str, float]] = {}
    for line in (run / "metrics.jsonl").read_text().splitlines():
        values = json.loads(line)
        step = values.pop("step")
        number = sum(1 for there, _ in lines if there == step)
        lines[step, number] = {n: v for n, v in values.items() if not _TIMING.search(n)}
    return lines
