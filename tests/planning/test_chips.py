"""Rates against other figures that their makers publish, of whole pods and machines."""

import pytest

from t2t.errors import UserError
from t2t.planning.chips import CHIPS, chip_of


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("v5e:16x16", "v5e"),
        ("2*v5p:4x4x8", "v5p"),
        ("TPU v4", "v4"),
        ("TPU v5 lite", "v5e"),
        ("TPU v5", "v5p"),
        ("TPU v5p", "v5p"),
        ("TPU v6 lite", "v6e"),
        ("v5litepod-16", "v5e"),
        ("h200:8", "h200"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("NVIDIA B200", "b200"),
    ],
)
def test_names(text, name):
    assert chip_of(text).name == name


@pytest.mark.parametrize(
    ("topology", "links"),
    [
        ("v5e:16x16", 4),
        ("v5e:8x16", 3),
        ("v5e:4x4", 2),
        ("v5e:2x2", 2),
        ("v5e:1x1", 0),
        ("v6e:16x16", 4),
        ("v4:2x2x1", 2),
        ("v5p:2x2x2", 3),
        ("v5p:4x4x4", 6),
        ("v5p:4x4x8", 6),
    ],
)
def test_links_of_the_worst_connected_chip(topology, links):
    link = {"v4": 50e9, "v5e": 50e9, "v5p": 100e9, "v6e": 100e9}[topology.split(":")[0]]
    assert chip_of(topology).ici_bandwidth == links * link


@pytest.mark.parametrize(("name", "terabytes"), [("v5e", 1.6), ("v6e", 3.2)])
def test_bisection_bandwidth_of_a_pod(name, terabytes):
    """A cut through a torus of 16 x 16 severs 16 rings twice."""
    assert 16 * 2 * chip_of(name).ici_bandwidth / 4 == terabytes * 1e12


def test_pods_and_machines():
    assert 256 * CHIPS["v5e"].bf16_flops == pytest.approx(50.63e15, rel=0.01)
    assert 256 * CHIPS["v6e"].bf16_flops == pytest.approx(234.9e15, rel=0.01)
    assert 4096 * CHIPS["v4"].bf16_flops == pytest.approx(1.1e18, rel=0.03)
    assert 8 * CHIPS["b200"].hbm_bytes == 1440e9
    assert 8 * CHIPS["h100"].bf16_flops * 4 == pytest.approx(32e15, rel=0.02)  # FP8, sparse


def test_unknown_chips_are_refused_with_the_nearest_name():
    with pytest.raises(UserError, match=r"'v5f:2x2'.*Known are v4.*Did you mean 'v5"):
        chip_of("v5f:2x2")
    with pytest.raises(UserError, match="no rates"):
        chip_of("cpu")
