"""From a configuration to the numbers of a search, and from its plans to lines."""

import argparse
import types

import jax
import pytest

from t2t.commands import plan as plan_command
from t2t.errors import UserError
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import Model
from t2t.planning import job_search
from t2t.planning.chips import CHIPS
from t2t.planning.estimates import Candidate
from t2t.planning.job import job_of
from t2t.planning.job_search import flags, search_job, search_report
from t2t.planning.job_sizes import sizes_of, tensor_sizes
from t2t.planning.roofline import roofline
from t2t.planning.topology import Topology
from t2t.training.flops import train_flops
from t2t.training.partitioning import MeshShape
from tests.planning.plans import HIDDEN, INNER, LAYERS, LENGTHS, ROWS, WIDTH, arguments

HEADS = 4


def test_sizes():
    """AdamW keeps two moments of each parameter; beside them there are only a few numbers."""
    given = arguments()
    shapes = jax.tree.leaves(Model(given["model"]).abstract_params)
    sizes = sizes_of(job_of(given))
    assert sizes.parameters == sum(leaf.size for leaf in shapes)
    extra = sizes.state_bytes - 3 * 4 * sizes.parameters
    assert 4 <= extra <= 100
    assert sizes.row_flops == train_flops(given["model"], LENGTHS["inputs"], LENGTHS["targets"])


def test_what_the_forward_pass_keeps():
    inputs, targets = LENGTHS["inputs"], LENGTHS["targets"]
    full = LAYERS * WIDTH * (inputs + targets)
    attention = (4 * INNER) * (inputs + targets) + 2 * INNER * (targets + inputs)
    minimal = full + LAYERS * (attention + 2 * HIDDEN * (inputs + targets))
    none = minimal + LAYERS * HEADS * (inputs**2 + targets**2 + targets * inputs)
    kept = sizes_of(job_of(arguments())).row_kept_bytes
    assert kept == {"full": 2 * full, "minimal": 2 * minimal, "none": 2 * none}


def test_heads_limit_the_tensor_axis():
    model = arguments()["model"]
    assert tensor_sizes(model) == [1, 2, 4]
    assert tensor_sizes(DecoderOnly(16, model.encoder)) == [1, 2, 4]


CHIP = CHIPS["h200"]


def chips(count, slices=1):
    return Topology("h200:8", (None,) * count, CHIP, slices, exact=False)


def compiler(calls):
    """Plans of a compiler that is faster with more tensor parallelism, and knows no "none"."""

    def plan_of(given, topology, mesh, remat, batch_size):
        calls.append((given["microbatches"], mesh, remat, batch_size))
        bound = roofline(CHIP, 1e12 / mesh.tensor, 0, [], model_flops_per_chip=5e11)
        memory = types.SimpleNamespace(total=3 * 2**30)
        return types.SimpleNamespace(
            fits=remat != "none",
            tokens=batch_size,
            tokens_per_second=batch_size / bound.serial_seconds,
            train=types.SimpleNamespace(roofline=bound, memory=memory),
        )

    return plan_of


def test_search(monkeypatch):
    calls, lines = [], []
    monkeypatch.setattr(job_search, "plan_of", compiler(calls))
    found = search_job(
        arguments(), chips(8, 2), batch_sizes=[ROWS, 4 * ROWS], most=999, tell=lines.append
    )
    assert found.untried == 0
    assert len(calls) == len(lines)
    assert all(mesh.data % 2 == 0 for _, mesh, _, _ in calls)
    assert {mesh.tensor for _, mesh, _, _ in calls} == {1, 2, 4}
    assert {remat for _, _, remat, _ in calls} == {"none", "minimal", "full"}
    assert {parts for parts, *_ in calls} == {1, 2, 4}
    first, plan = found.best[0]
    assert (first.batch_size, first.mesh.tensor) == (4 * ROWS, 4)
    text = search_report(found)
    assert f"{plan.tokens_per_second:,.0f}" in text
    assert f"{len(calls)} compiled: {len(found.best)} fit, {len(found.too_big)} too big" in text
    assert f"the first: {flags(first)}" in text
    assert "3 GiB" in text
    assert "200% to 200%" in text.splitlines()[3]  # 5e11 useful operations of 2.5e11


def test_only_the_batch_of_the_configuration_unless_told(monkeypatch):
    calls = []
    monkeypatch.setattr(job_search, "plan_of", compiler(calls))
    search_job(arguments(), chips(4), most=3)
    assert [rows for *_, rows in calls] == [ROWS] * 3


def test_chips_without_rates_are_refused():
    cpus = Topology("cpu:8", (None,) * 8, None, 1, exact=True)
    with pytest.raises(UserError, match="cpu:8 has none"):
        search_job(arguments(), cpus)


def test_flags():
    candidate = Candidate(MeshShape(2, 4, 1), "full", 64, 2)
    assert flags(candidate) == (
        "--gin.MeshShape.data=2 --gin.MeshShape.fsdp=4 --gin.MeshShape.tensor=1 "
        "--gin.Compute.remat=\"'full'\" --gin.train.batch_size=64 --gin.train.microbatches=2"
    )


def test_the_command(monkeypatch, capsys):
    """Progress goes to standard error; the exit status says whether anything fits."""
    monkeypatch.setattr(job_search, "plan_of", compiler([]))
    given = argparse.Namespace(search=2, search_batch_sizes="32", json=False)
    assert plan_command.search(given, arguments(), chips(4)) == 0
    output = capsys.readouterr()
    assert output.err.count("of at most 2: mesh") == 2
    assert output.out.startswith("2 compiled: 1 fit, 1 too big")
    given.search = 1  # "none", which never fits here
    assert plan_command.search(given, arguments(), chips(4)) == 1
    assert "the first" not in capsys.readouterr().out
