"""Big models compiled for TPUs that are not there, as `t2t plan` does; takes minutes."""

import json
import math
from typing import NamedTuple

import jax
import pytest

pytest.importorskip("libtpu", exc_type=ImportError)

from jax.experimental.compilation_cache import compilation_cache

from t2t.cli import main
from t2t.planning.chips import chip_of

pytestmark = [pytest.mark.plan, pytest.mark.timeout(3600)]

SETTINGS = {
    "jax_disable_most_optimizations": False,
    "jax_enable_compilation_cache": False,  # programs for what is not attached are not read back
    "jax_exec_time_optimization_effort": -1.0,  # a third of the time; memory is a little less
}


@pytest.fixture(autouse=True, scope="module")
def compiled_as_for_users():
    before = {name: jax.config.values[name] for name in SETTINGS}
    for name, value in SETTINGS.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()
    yield
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


class Case(NamedTuple):
    """One of the models; `parameters` as released, the rest by its paper."""

    model: str
    parameters: int
    topology: str
    fsdp: int
    tensor: int
    rows: int
    width: int
    inner: int
    hidden: int
    layers: int

    @property
    def command(self):
        return [
            *("plan", f"--gin_file=models/{self.model}.gin", "--gin_file=runs/pretrain.gin"),
            *(f"--topology={self.topology}", "--decode_batch_size=0", "--json"),
            *(f"--gin.MeshShape.fsdp={self.fsdp}", f"--gin.MeshShape.tensor={self.tensor}"),
            *(f"--gin.train.batch_size={self.rows}", "--gin.Compute.remat='full'"),
        ]

    @property
    def chips(self):
        return math.prod(int(size) for size in self.topology.split(":")[1].split("x"))

    def flops(self):
        """Of a step on all chips: three forward passes, two operations per multiply-add."""

        def attention(queries, keys):
            projections = 2 * (queries + keys) * self.width * 2 * self.inner
            return projections + 2 * 2 * queries * keys * self.inner

        def feed_forward(length):
            return 3 * 2 * length * self.width * self.hidden

        encoder = attention(512, 512) + feed_forward(512)
        decoder = attention(114, 114) + attention(114, 512) + feed_forward(114)
        logits = 2 * 114 * self.width * 32128
        return 3 * self.rows * (self.layers * (encoder + decoder) + logits)


BASE = Case("t5_1_1_base", 247_577_856, "v5e:2x2", 4, 1, 128, 768, 768, 2048, 12)
XL = Case("t5_1_1_xl", 2_849_757_184, "v5e:8x8", 64, 1, 512, 2048, 2048, 5120, 24)
XXL = Case("t5_1_1_xxl", 11_135_332_352, "v5p:4x4x4", 32, 2, 512, 4096, 4096, 10240, 24)
UL2 = Case("ul2_20b", 19_459_613_696, "v5p:4x4x8", 128, 1, 1024, 4096, 4096, 16384, 32)


def run(case, capsys):
    """Exit status, and the training step as JSON."""
    status = main(case.command)
    return status, json.loads(capsys.readouterr().out)["programs"]["train step"]


def assert_total(memory):
    parts = {k: v or 0 for k, v in memory.items() if k not in ("total", "capacity", "missing")}
    assert memory["total"] == sum(parts.values())
    assert memory["missing"] == max(0, memory["total"] - memory["capacity"])


@pytest.mark.parametrize("case", [BASE, XL, XXL, UL2], ids=lambda case: case.model)
def test_fits_and_adds_up(case, capsys):
    status, train = run(case, capsys)
    assert (status, train["fits"]) == (0, True)
    memory, chip = train["memory"], chip_of(case.topology)
    shards = case.fsdp * case.tensor
    assert memory["parameters"] == pytest.approx(4 * case.parameters / shards, rel=0.01)
    assert memory["gradients"] == memory["parameters"]
    assert memory["optimizer"] < 0.06 * memory["parameters"]  # factored
    assert memory["padding"] < 0.1 * memory["parameters"]
    assert_total(memory)
    assert train["model_flops"] == case.flops() // case.chips
    assert train["notes"] == []
    assert 1.1 < train["program_flops"] / train["model_flops"] < 4 / 3
    assert train["hbm_bytes"] > 2 * memory["parameters"]
    # Every parameter is gathered for the forward and the backward pass, in two or four bytes; XLA
    # also writes that as rings of permutations between neighbours, or as sums.
    sent = sum(c["bytes"] * c["times"] for c in train["collectives"])
    each = case.parameters / case.tensor * (case.fsdp - 1) / case.fsdp
    assert sent > 2 * 2 * each
    bound = train["roofline"]
    assert bound["compute_seconds"] == train["program_flops"] / chip.bf16_flops
    assert bound["memory_seconds"] == train["hbm_bytes"] / chip.hbm_bandwidth
    assert 0 < bound["serial_mfu"] < bound["mfu"] < 0.95


def test_eleven_billion_on_four_small_chips_are_refused(capsys):
    case = XXL._replace(topology="v5e:2x2", fsdp=4, tensor=1, rows=128)
    status, train = run(case, capsys)
    assert (status, train["refused"]) == (1, True)
    memory = train["memory"]
    assert memory["parameters"] == pytest.approx(case.parameters, rel=0.01)  # 4 bytes over 4 chips
    assert memory["capacity"] == pytest.approx(15.75 * 2**30, rel=1e-3)
    assert_total(memory)
    assert memory["missing"] > memory["parameters"]
