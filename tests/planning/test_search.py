"""The search over made-up plans, and its arithmetic."""

import dataclasses
import math

import pytest

from t2t.errors import UserError
from t2t.planning.chips import Chip
from t2t.planning.estimates import Candidate, JobSizes, least_memory, rough_seconds
from t2t.planning.search import Space, search
from t2t.training.partitioning import MeshShape

GB = 10**9
CHIP = Chip("round", 1e12, 16 * GB, 1e11, 1e10, 1e9)
SIZES = JobSizes(
    parameters=10**9,
    state_bytes=12 * GB,
    row_flops=10**10,
    row_kept_bytes={"none": 10**9, "minimal": 10**8, "full": 10**7},
)


@dataclasses.dataclass(frozen=True)
class Fake:
    fits: bool
    tokens_per_second: float


def candidate(data=1, fsdp=1, tensor=1, remat="full", rows=64, parts=1):
    return Candidate(MeshShape(data, fsdp, tensor), remat, rows, parts)


def test_meshes_are_all_factorisations():
    meshes = Space(8, tensor=(1, 2, 3)).meshes()
    found = {(m.data, m.fsdp, m.tensor) for m in meshes}
    assert len(found) == len(meshes) == 4 + 3
    assert {math.prod(sizes) for sizes in found} == {8}
    assert (2, 2, 2) in found


def test_only_data_goes_between_slices():
    assert {m.data for m in Space(8, slices=4, tensor=(1,)).meshes()} == {4, 8}


def test_candidates_divide_their_rows():
    space = Space(8, tensor=(1, 4), remats=("full",), batch_sizes=(8, 12), microbatches=(1, 2))
    found = {
        (c.mesh.data, c.mesh.fsdp, c.mesh.tensor, c.batch_size, c.microbatches)
        for c in space.candidates()
    }
    assert (8, 1, 1, 8, 1) in found
    assert (8, 1, 1, 8, 2) not in found
    assert (8, 1, 1, 12, 1) not in found
    assert (2, 1, 4, 12, 2) in found


def test_other_settings_of_the_mesh_stay():
    like = MeshShape(sequence=1, slices=2)
    assert all(mesh.slices == 2 for mesh in Space(4, slices=2, like=like).meshes())


def test_least_memory():
    assert least_memory(candidate(1, 4, 2), SIZES) == 12 * GB // 8 + 64 * 10**7 // 8
    assert least_memory(candidate(8, remat="none"), SIZES) == 12 * GB + 64 * 10**9 // 8
    assert least_memory(candidate(8, remat="none", parts=4), SIZES) == 12 * GB + 16 * 10**9 // 8


def test_rough_seconds():
    compute = 64 * 1e10 * 4 / 3 / 8 / 1e12
    assert rough_seconds(candidate(8), SIZES, CHIP) == pytest.approx(
        compute + 2 * 2 * 1e9 * 7 / 8 / 1e10
    )
    fsdp = 6 * 1e9 * 7 / 8 / 1e10
    assert rough_seconds(candidate(1, 8), SIZES, CHIP) == pytest.approx(compute + fsdp)
    assert rough_seconds(candidate(1, 8, parts=4), SIZES, CHIP) == pytest.approx(compute + 4 * fsdp)
    assert rough_seconds(candidate(8), SIZES, CHIP, slices=2) == pytest.approx(
        compute + 2 * 2 * 1e9 * 7 / 8 / 1e9
    )
    tensor = 8 * 1e7 * 64 * 7 / 8 / 1e10
    assert rough_seconds(candidate(1, 1, 8), SIZES, CHIP) == pytest.approx(compute + tensor)


@pytest.mark.parametrize(
    ("bigger", "smaller"),
    [
        (candidate(8, 1), candidate(1, 8)),
        (candidate(1, 8, remat="none"), candidate(1, 8, remat="minimal")),
        (candidate(1, 8, rows=128), candidate(1, 8)),
        (candidate(1, 8, rows=128, parts=2), candidate(1, 8)),
        (candidate(1, 8, parts=2), candidate(1, 8, parts=4)),
    ],
)
def test_what_surely_needs_more_memory(bigger, smaller):
    assert bigger.needs_at_least(smaller)
    assert bigger.needs_at_least(bigger)
    assert not smaller.needs_at_least(bigger)


def test_other_splits_of_products_do_not_compare():
    assert not candidate(1, 8).needs_at_least(candidate(1, 4, 2))
    assert not candidate(1, 8).needs_at_least(candidate(1, 8, parts=2))


class Compiler:
    """Fits if half as much again as the least is there; speed by the rough time."""

    def __init__(self):
        self.asked = []

    def __call__(self, asked):
        self.asked.append(asked)
        seconds = rough_seconds(asked, SIZES, CHIP)
        fits = 1.5 * least_memory(asked, SIZES) <= CHIP.hbm_bytes
        return Fake(fits, asked.batch_size / seconds)


SPACE = Space(8, tensor=(1, 2), batch_sizes=(64, 128), microbatches=(1, 2))


def test_finds_what_trying_everything_finds():
    everything, compiler, lines = Compiler(), Compiler(), []
    plans = [everything(c) for c in SPACE.candidates()]
    found = search(compiler, SPACE, SIZES, CHIP, most=1000, tell=lines.append)
    speeds = [plan.tokens_per_second for _, plan in found.best]
    assert speeds == sorted(speeds, reverse=True)
    assert speeds[0] == max(plan.tokens_per_second for plan in plans if plan.fits)
    assert len(speeds) == sum(plan.fits for plan in plans)
    assert all(plan == everything(c) for c, plan in found.best)
    assert len(compiler.asked) == len(lines) == len(found.best) + len(found.too_big)
    assert len(compiler.asked) + found.pruned == len(plans)
    assert found.pruned > 0
    assert found.untried == 0
    assert lines[0].startswith("1 of at most 1000: mesh data=")


def test_tries_the_most_promising_first_and_stops():
    compiler = Compiler()
    found = search(compiler, SPACE, SIZES, CHIP, most=3)
    assert len(compiler.asked) == 3
    assert found.untried > 0
    rates = [c.batch_size / rough_seconds(c, SIZES, CHIP) for c in compiler.asked]
    assert rates == sorted(rates, reverse=True)


def test_a_failure_spares_what_needs_more():
    asked = []

    def nothing_fits(one):
        asked.append(one)
        return Fake(False, 1.0)

    found = search(nothing_fits, SPACE, SIZES, CHIP, most=1000)
    assert found.best == []
    for i, one in enumerate(asked):
        assert not any(one.needs_at_least(earlier) for earlier in asked[:i])


def test_refusals_are_kept_and_the_search_goes_on():
    def refuses_tensor(one):
        if one.mesh.tensor > 1:
            raise UserError("no")
        return Fake(True, 1.0)

    found = search(refuses_tensor, SPACE, SIZES, CHIP, most=1000)
    assert {message for _, message in found.refused} == {"no"}
    assert all(c.mesh.tensor == 2 for c, _ in found.refused)
    assert found.best


def test_nothing_to_try():
    with pytest.raises(
        UserError, match=r"No mesh of 8 chips divides batches of 3 rows into 1 part"
    ):
        search(Compiler(), Space(8, tensor=(1,), batch_sizes=(3,), microbatches=(1,)), SIZES, CHIP)
    small = dataclasses.replace(CHIP, hbm_bytes=GB)
    with pytest.raises(UserError, match=r"Nothing fits.*500,000,000 more than a round has"):
        space = Space(8, tensor=(1,), remats=("full",), batch_sizes=(0,), microbatches=(1,))
        search(Compiler(), space, SIZES, small)
