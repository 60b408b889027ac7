import importlib.util

import jax
import pytest

from t2t.errors import UserError
from t2t.planning.topology import open_topology


def test_cpus():
    topology = open_topology("cpu:4")
    assert topology.devices == tuple(jax.devices("cpu")[:4])
    assert topology.chip is None
    assert topology.exact
    assert topology.slices == 1


def test_gpus_are_compiled_for_as_cpus():
    topology = open_topology("h100:8")
    assert len(topology.devices) == 8
    assert topology.chip.name == "h100"
    assert not topology.exact


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("v5e", "is no topology. Examples: v5e:2x2"),
        ("v5e-256", "is no topology"),
        ("v6p:2x2", "'v6p' is no kind of device .*Did you mean"),
        ("h200:2x4", "write the number of devices, h200:8"),
        ("2*cpu:4", "write the number of devices"),
        ("cpu:0", "has no devices"),
        ("0*v5e:2x2", "has no devices"),
        ("v5e:4x4x4", "a slice of v5e has 2 sides.* Shapes of v5e: 1x1, 2x2"),
        ("v5p:4x4", "a slice of v5p has 3 sides"),
        ("cpu:64", "64 CPU devices are wanted, but JAX runs with 8"),
    ],
)
def test_refused(name, message):
    with pytest.raises(UserError, match=message):
        open_topology(name)


def test_without_libtpu(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "libtpu" else find(name)
    )
    with pytest.raises(
        UserError, match=r"libtpu, which is not installed: `pip install 't2t\[tpu\]"
    ):
        open_topology("v5e:2x2")
