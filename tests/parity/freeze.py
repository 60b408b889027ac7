"""Writes what PyTorch computes to tests/frozen/hugging_face, for tests that run without PyTorch.

For every case in a list `FROZEN` of a tests/parity/test_*_parity.py. By hand, from the root of the
repository, with the `parity` extra installed; with names of cases, those only:

    python -m tests.parity.freeze [CASE ...]

A file holds, for a tiny model with random weights: its config.json, its tensors by their names
("theirs/..."), a padded batch ("batch/..."), the output, weights that make a scalar of it, and some
gradients of that scalar by our paths ("gradients/...").
"""

import importlib
import sys
from pathlib import Path

import numpy as np

from t2t.interop.folders import open_folder
from tests.parity.harness import Case, expected, random_batch, saved, weighting

FROZEN = Path(__file__).parents[1] / "frozen" / "hugging_face"
GRADIENTS = 6


def freeze(case: Case) -> Path:
    """Writes one file."""
    folder = saved(case)[1]
    source, batch = open_folder(folder), random_batch(case)
    output, _, gradients = expected(case)
    known = sorted(name for name, g in gradients.items() if np.linalg.norm(g) > 1e-3)
    some = known[:: -(-len(known) // GRADIENTS)]
    path = FROZEN / f"{case}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        config=(folder / "config.json").read_text(encoding="utf-8"),
        output=output,
        weights=weighting(output.shape, batch),
        **{f"theirs/{name}": source.read(name) for name in source.tensors},
        **{f"batch/{name}": array for name, array in batch.items()},
        **{f"gradients/{name}": gradients[name] for name in some},
    )
    return path


def main(names: list[str]) -> None:
    for module in sorted(path.stem for path in Path(__file__).parent.glob("test_*_parity.py")):
        for case in getattr(importlib.import_module(f"tests.parity.{module}"), "FROZEN", ()):
            if not names or case.name in names:
                path = freeze(case)
                print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
