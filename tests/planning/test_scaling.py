"""Points of weak scaling, and their table."""

import dataclasses
import json
import types

import pytest

from t2t.planning.chips import Chip
from t2t.planning.collectives import Collective
from t2t.planning.roofline import roofline
from t2t.planning.scaling import Point, table

CHIP = Chip("round", 1e12, 10**9, 1e9, 1e8, 1e7)


def point(chips, sent, fsdp=None):
    collectives = [
        Collective("all-gather", sent, chips, 2),
        Collective("all-gather", sent, chips, 1),
        Collective("all-reduce", 10**6, chips, 1),
    ]
    plan = types.SimpleNamespace(
        topology=f"v5e:{chips}",
        mesh={"data": chips // (fsdp or chips), "fsdp": fsdp or chips, "tensor": 1},
        tokens=1000 * chips,
        train=types.SimpleNamespace(
            collectives=collectives,
            roofline=roofline(CHIP, 1e11, 5e7, collectives, model_flops_per_chip=8e10),
        ),
    )
    return Point.of(plan, chips)


def test_a_point():
    found = point(4, 10**6)
    assert found.sent == {"all-gather": 3 * 10**6, "all-reduce": 10**6}
    assert found.tokens == 1000
    assert found.interconnect_seconds == pytest.approx(0.04)
    assert found.step_seconds == pytest.approx(0.1)
    assert found.serial_seconds == pytest.approx(0.1 + 0.05 + 0.04)
    assert found == Point(**json.loads(json.dumps(dataclasses.asdict(found))))


def test_the_table():
    """Per chip: 30 and 1 megabytes at 100 a second, 100 ms of compute, 50 ms of memory."""
    first, second = table([point(4, 10**6), point(8, 10**7, fsdp=4)])[2:]
    cells = [cell.strip() for cell in first.strip("|").split("|")]
    assert cells[:5] == ["4 (v5e:4)", "fsdp 4", "3", "1", "4"]
    assert cells[5:] == ["100.0", "50.0", "40.0", "100.0", "80%", "190.0", "42%", "100%"]
    cells = [cell.strip() for cell in second.strip("|").split("|")]
    assert cells[:5] == ["8 (v5e:8)", "data 2, fsdp 4", "30", "1", "31"]
    assert cells[5:] == ["100.0", "50.0", "310.0", "310.0", "26%", "460.0", "17%", "41%"]


def test_plans_without_bounds():
    plan = types.SimpleNamespace(topology="cpu:8", train=types.SimpleNamespace(roofline=None))
    with pytest.raises(ValueError, match="cpu:8"):
        Point.of(plan, 8)
