"""Bounds by hand, for a chip of round numbers."""

import pytest

from t2t.planning.chips import Chip
from t2t.planning.collectives import Collective
from t2t.planning.roofline import crosses, roofline

CHIP = Chip("round", 1e12, 10**9, 1e9, 1e8, 1e7)
GATHER = Collective("all-gather", 10**6, 4, 30, ((0, 1, 2, 3), (4, 5, 6, 7)))
REDUCE = Collective("all-reduce", 10**5, 2, 10, ((0, 4), (1, 5), (2, 6), (3, 7)))


def test_each_part_and_the_bound():
    bounds = roofline(CHIP, 4e11, 2e8, [GATHER, REDUCE], model_flops_per_chip=3e11)
    assert bounds.compute_seconds == pytest.approx(0.4)
    assert bounds.memory_seconds == pytest.approx(0.2)
    assert bounds.ici_seconds == pytest.approx(0.3 + 0.01)
    assert bounds.dcn_seconds == 0
    assert bounds.bound == "compute"
    assert bounds.step_seconds == pytest.approx(0.4)
    assert bounds.serial_seconds == pytest.approx(0.4 + 0.2 + 0.31)
    assert bounds.mfu == pytest.approx(0.75)
    assert bounds.serial_mfu == pytest.approx(0.3 / 0.91)


def test_groups_between_slices_use_the_slow_network():
    bounds = roofline(CHIP, 1e9, 1e9, [GATHER, REDUCE], chips_per_slice=4)
    assert bounds.ici_seconds == pytest.approx(0.3)
    assert bounds.dcn_seconds == pytest.approx(0.1)
    assert bounds.interconnect_seconds == pytest.approx(0.3)
    assert bounds.bound == "memory"
    assert bounds.mfu == pytest.approx(0.001)
    bounds = roofline(CHIP, 1e9, 1e8, [GATHER, REDUCE], chips_per_slice=2)
    assert (bounds.ici_seconds, bounds.bound) == (0, "interconnect")


def test_slices():
    assert not crosses(GATHER, 4)
    assert crosses(GATHER, 2)
    assert crosses(REDUCE, 4)
    pairs = Collective("collective-permute", 1, 2, 1, ((0, 1), (1, 2), (3, 4)))
    assert crosses(pairs, 4)
    assert not crosses(pairs, 8)
