"""Every figure of a plan against arithmetic, or against the real thing on simulated devices."""

import dataclasses
import math

import jax
import pytest

from t2t.errors import UserError
from t2t.models.definition import Model
from t2t.planning.chips import CHIPS
from t2t.planning.job import job_of
from t2t.planning.plan import plan_of
from t2t.planning.report import report, size, to_dict
from t2t.planning.topology import open_topology
from t2t.training.partitioning import MeshShape
from t2t.training.state import init_state, state_shardings
from tests.planning.plans import (
    HEADS,
    HIDDEN,
    INNER,
    LAYERS,
    LENGTHS,
    ROWS,
    VOCAB,
    WIDTH,
    arguments,
    plan,
    with_generation,
)

PARAMETERS = sum(
    math.prod(leaf.shape) for leaf in jax.tree.leaves(Model(arguments()["model"]).abstract_params)
)


def model_flops():
    """Three forward passes of a batch, two operations per multiply-add, by hand."""
    inputs, targets = LENGTHS["inputs"], LENGTHS["targets"]

    def attention(queries, keys):
        projections = 2 * (queries + keys) * WIDTH * 2 * INNER
        return projections + 2 * 2 * queries * keys * INNER

    def feed_forward(length):
        return 3 * 2 * length * WIDTH * HIDDEN

    encoder = attention(inputs, inputs) + feed_forward(inputs)
    decoder = attention(targets, targets) + attention(targets, inputs) + feed_forward(targets)
    return 3 * ROWS * (LAYERS * (encoder + decoder) + 2 * targets * WIDTH * VOCAB)


def test_arguments_are_what_a_device_holds_of_a_real_state():
    job = job_of(arguments())
    mesh = MeshShape(1, 4, 2).mesh()
    shardings = state_shardings(job.model, job.optimizer, mesh)
    make = jax.jit(lambda: init_state(job.model, job.optimizer, 0), out_shardings=shardings)
    state = make()

    def held(tree):
        return sum(leaf.addressable_shards[0].data.nbytes for leaf in jax.tree.leaves(tree))

    memory = with_generation().train.memory
    assert memory.parameters == held(state.params)
    assert memory.optimizer == held((state.opt_state, state.step))
    assert 2 * memory.parameters <= memory.optimizer <= 2 * memory.parameters + 64  # AdamW
    assert memory.gradients == memory.parameters
    of_row = 4 * (3 * LENGTHS["inputs"] + 6 * LENGTHS["targets"])  # int32 arrays of a packed row
    assert memory.batch == ROWS // 4 * of_row
    assert memory.padding <= 4096


def test_the_total_is_the_sum():
    memory = with_generation().train.memory
    parts = dataclasses.asdict(memory)
    del parts["capacity"]
    assert memory.total == sum(part or 0 for part in parts.values())
    assert memory.missing == 0
    assert memory.capacity == CHIPS["h200"].hbm_bytes


def test_operations():
    train = with_generation().train
    assert train.model_flops == model_flops() // 8
    assert train.program_flops == pytest.approx(train.model_flops, rel=0.03)


def test_rematerialised_operations():
    """All of the forward pass but the last product of each branch, and the logits, again."""
    train = plan(remat="full").train
    assert train.model_flops == model_flops() // 8
    assert 1.1 < train.program_flops / train.model_flops < 4 / 3
    assert plan(remat="full").remat == "full"


def test_data_parallel_training_sums_gradients_once():
    """Of the table twice, for it is read on both sides; of the biases of attention, by layer."""
    sent = plan(shape=(8, 1, 1)).train.collectives
    biases = LAYERS * HEADS * (LENGTHS["inputs"] ** 2 + LENGTHS["targets"] ** 2)
    gradients = 4 * (PARAMETERS + VOCAB * WIDTH + biases)
    assert {(c.kind, c.group_size) for c in sent} == {("all-reduce", 8)}
    assert sum(c.total_bytes for c in sent) == pytest.approx(2 * 7 / 8 * gradients, rel=0.002)


def test_bytes_moved_cover_the_state():
    train = plan(shape=(8, 1, 1)).train
    adam = 4 * PARAMETERS * (3 + 3)  # parameters and two moments, read and written
    assert adam < train.hbm_bytes < 100 * adam


def test_the_roofline_of_a_gpu_is_figures_over_rates():
    estimate, chip = with_generation(), CHIPS["h200"]
    train, bound = estimate.train, estimate.train.roofline
    assert not estimate.exact
    assert train.memory.capacity == chip.hbm_bytes
    assert estimate.fits
    assert bound.compute_seconds == train.program_flops / chip.bf16_flops
    assert bound.memory_seconds == train.hbm_bytes / chip.hbm_bandwidth
    sent = sum(c.total_bytes for c in train.collectives)
    assert bound.ici_seconds == sent / chip.ici_bandwidth
    assert bound.mfu == train.model_flops / chip.bf16_flops / bound.step_seconds
    assert estimate.tokens == ROWS * 48
    assert estimate.tokens_per_second == estimate.tokens / bound.serial_seconds


def test_generation():
    made = with_generation()
    rows, new, heads_and_size = 8 // 4, LENGTHS["targets"], INNER
    own = 2 * rows * (1 + new) * heads_and_size
    cross = 2 * rows * LENGTHS["inputs"] * heads_and_size
    caches = 4 * LAYERS * (own + cross)
    assert made.decode.memory.batch > caches // 2  # over tensor, too
    per_token = (
        2
        * rows
        * (
            LAYERS * (3 * WIDTH * HIDDEN + 6 * WIDTH * INNER + 2 * (1 + new + 32) * INNER)
            + WIDTH * VOCAB
        )
    )
    assert made.decode.program_flops == pytest.approx(per_token / 2, rel=0.15)
    assert made.prefill.program_flops > 10 * made.decode.program_flops
    assert made.prefill.memory.parameters == made.train.memory.parameters
    assert set(made.programs) == {"train step", "prefill", "decode step"}


def test_what_does_not_fit_is_short_of_bytes():
    topology = open_topology("h200:8")
    needed = with_generation().train.memory.total
    small = dataclasses.replace(topology.chip, hbm_bytes=needed - 1000)
    memory = dataclasses.replace(with_generation().train.memory, capacity=small.hbm_bytes)
    assert memory.missing == 1000
    short = dataclasses.replace(with_generation().train, memory=memory)
    refused = dataclasses.replace(with_generation(), train=short)
    assert not refused.fits
    assert "DOES NOT FIT, about 1,000 bytes (1000 B) per chip are missing" in report(refused)


def test_the_report_and_its_json_say_the_same():
    estimate = with_generation()
    text, facts = report(estimate), to_dict(estimate)
    train = facts["programs"]["train step"]
    assert "8 chip(s), mesh data 1 x fsdp 4" in text
    assert "train step: fits" in text
    assert f"{train['program_flops']:.3e}" in text
    assert train["memory"]["total"] == estimate.train.memory.total
    sent = sum(c["bytes"] * c["times"] for c in train["collectives"])
    assert sent == sum(c.total_bytes for c in estimate.train.collectives)
    assert facts["fits"] is True
    assert facts["batch_size"] == ROWS


@pytest.mark.parametrize(
    ("number", "text"),
    [(1000, "1000 B"), (1023 * 2**10, "1,023 KiB"), (5 * 2**19, "2.5 MiB"), (2**51, "2,048 TiB")],
)
def test_sizes_have_no_exponents(number, text):
    assert size(number) == text


def test_what_training_would_refuse():
    topology = open_topology("cpu:8")
    with pytest.raises(UserError, match="3 microbatches do not divide the batch size 16"):
        plan_of(arguments(microbatches=3), topology)
    with pytest.raises(UserError, match="A batch of 4 rows does not divide"):
        plan_of(arguments(batch_size=4), topology)
    with pytest.raises(UserError, match="does not use the 8 device"):
        plan_of(arguments(), topology, mesh=MeshShape(3))
