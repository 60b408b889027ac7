import jax
import numpy as np
import pytest

from t2t.training.host_rows import HostRows
from t2t.training.partitioning import MeshShape


@pytest.mark.parametrize("shape", [MeshShape(), MeshShape(2, 2, 2)])
def test_one_process_has_all_rows(shape):
    hosts = HostRows(shape.mesh())
    assert (hosts.share.index, hosts.share.count) == (0, 1)
    rows = np.arange(32).reshape(16, 2)
    on_devices = hosts.on_devices({"x": rows})["x"]
    np.testing.assert_array_equal(on_devices, rows)
    assert hosts.mine(16).tolist() == list(range(16))
    assert hosts.places([np.arange(20)], 16).tolist() == [*range(20), *[-1] * 12]
    assert hosts.in_order([np.arange(2)], ["a", "b"]) == ["a", "b"]


class Elsewhere:
    """A mesh whose devices are of two processes, dealt in turn."""

    def __init__(self, monkeypatch, owners):
        self.hosts = HostRows(MeshShape(data=4, tensor=2).mesh())
        self.hosts._parts = owners
        monkeypatch.setattr(self.hosts, "_gather", lambda values: values[None])


def test_rows_of_several_processes_find_their_places(monkeypatch):
    hosts = Elsewhere(monkeypatch, [(0, 2), (1, 3)]).hosts
    assert hosts.mine(8).tolist() == [0, 1, 4, 5]
    numbers = [np.array([0, 2, 4, 6, 8]), np.array([1, 3, 5])]
    first, second = hosts.places(numbers, 8).reshape(2, 8).tolist()
    assert first == [0, 2, 1, 3, 4, 6, 5, -1]
    assert second == [8, *[-1] * 7]


def test_numbers_of_64_bits_are_gathered_whole(monkeypatch):
    hosts = Elsewhere(monkeypatch, [(0, 1), (2, 3)]).hosts
    monkeypatch.undo()
    hosts._speakers = [0, 0]
    monkeypatch.setattr(
        "jax.experimental.multihost_utils.process_allgather",
        lambda x: np.stack([jax.device_get(x)]),
    )
    values = np.array([2**40 + 1, 3])
    assert hosts._gather(values).tolist() == [values.tolist()] * 2
    assert hosts.of_all(values[:, None]).tolist() == [[2**40 + 1], [3]] * 2
