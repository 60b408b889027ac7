"""Every mesh trains as one device does; `tools/bench/mesh_equality.py` prints all combinations."""

import sys
from pathlib import Path

import jax
import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "tools" / "bench"


@pytest.fixture(scope="module")
def tool():
    sys.path.insert(0, str(FOLDER))
    try:
        import mesh_equality
    finally:
        sys.path.remove(str(FOLDER))
    return mesh_equality


SGD = [
    ((8, 1, 1), "encoder-decoder"),
    ((4, 1, 2), "decoder-only"),
    ((2, 1, 4), "encoder-only"),
    ((1, 1, 8), "encoder-decoder"),
    ((4, 2, 1), "decoder-only"),
    ((2, 2, 2), "encoder-decoder"),
    ((1, 2, 4), "decoder-only"),
    ((2, 4, 1), "encoder-only"),
    ((1, 4, 2), "encoder-only"),
    ((1, 8, 1), "encoder-decoder"),
    ((1, 2, 2, 2), "encoder-decoder"),  # the last is the sequence
    ((1, 1, 1, 8), "decoder-only"),
]


@pytest.mark.parametrize(("sizes", "architecture"), SGD)
def test_losses_gradients_and_parameters_of_sgd(tool, sizes, architecture):
    apart = tool.run(architecture, sizes).differences(tool.run(architecture, None))
    assert max(apart) < 1e-5


@pytest.mark.parametrize(
    ("optimizer", "architecture"), [("adamw", "decoder-only"), ("adafactor", "encoder-only")]
)
def test_losses_gradients_and_parameters_of_other_optimisers(tool, optimizer, architecture):
    one = tool.run(architecture, None, optimizer)
    apart = tool.run(architecture, (2, 2, 2), optimizer).differences(one)
    assert max(apart) < 1e-5


def test_all_ten_meshes_are_there(tool):
    assert {sizes for sizes, _ in SGD if len(sizes) == 3} == set(tool.MESHES)
    assert len(tool.MESHES) == 10


@pytest.mark.parametrize("architecture", ["encoder-decoder", "decoder-only", "encoder-only"])
def test_parameters_change_by_far_more_than_that(tool, architecture):
    after, before = tool.run(architecture, None).params, tool.initial_params(architecture)
    changes = jax.tree.map(lambda a, b: np.abs(a - b).max(), after, before)
    assert min(jax.tree.leaves(changes)) > 1e-4
