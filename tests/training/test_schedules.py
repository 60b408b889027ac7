import math

import jax
import jax.numpy as jnp
import pytest

from t2t.errors import UserError
from t2t.training.schedules import (
    constant_schedule,
    cooldown_schedule,
    cosine_schedule,
    linear_schedule,
    piecewise_schedule,
    product_schedule,
    rsqrt_schedule,
    warmup_schedule,
    wsd_schedule,
)

# Name: schedule, then the rate of the update after so many.
TABLE = {
    "constant": (constant_schedule(0.5), {0: 0.5, 1: 0.5, 10**6: 0.5}),
    "constant, warm-up": (
        constant_schedule(0.5, warmup_steps=4),
        {0: 0.125, 1: 0.25, 2: 0.375, 3: 0.5, 4: 0.5, 1000: 0.5},
    ),
    "linear": (linear_schedule(1.0, total_steps=10), {0: 1.0, 1: 0.9, 5: 0.5, 10: 0.0, 11: 0.0}),
    "linear, warm-up and end": (
        linear_schedule(1.0, total_steps=12, warmup_steps=2, end=0.2),
        {0: 0.5, 1: 1.0, 2: 1.0, 7: 0.6, 12: 0.2, 100: 0.2},
    ),
    "cosine": (
        cosine_schedule(2.0, total_steps=8),
        {0: 2.0, 2: 1 + math.sqrt(0.5), 4: 1.0, 6: 1 - math.sqrt(0.5), 8: 0.0, 9: 0.0},
    ),
    "cosine, warm-up and end": (
        cosine_schedule(2.0, total_steps=10, warmup_steps=2, end=0.5),
        {0: 1.0, 1: 2.0, 2: 2.0, 6: 1.25, 10: 0.5, 50: 0.5},
    ),
    "rsqrt": (rsqrt_schedule(), {0: 0.01, 1: 0.01, 10_000: 0.01, 40_000: 0.005, 10**6: 0.001}),
    "rsqrt, scaled": (
        rsqrt_schedule(3.0, warmup_steps=100),
        {0: 0.3, 99: 0.3, 100: 0.3, 400: 0.15, 900: 0.1},
    ),
    "wsd": (
        wsd_schedule(1.0, total_steps=20, decay_steps=10, warmup_steps=4),
        {0: 0.25, 3: 1.0, 9: 1.0, 10: 1.0, 15: 0.5, 19: 0.1, 20: 0.0, 100: 0.0},
    ),
    "wsd, by a cosine to an end": (
        wsd_schedule(1.0, total_steps=8, decay_steps=4, end=0.2, shape="cosine"),
        {0: 1.0, 4: 1.0, 5: 0.6 + 0.4 * math.sqrt(0.5), 6: 0.6, 8: 0.2, 9: 0.2},
    ),
    "wsd, all of it decay": (wsd_schedule(1.0, total_steps=4, decay_steps=4), {0: 1.0, 1: 0.75}),
    "rsqrt, the last tenth linear, as in T5's first paper": (
        cooldown_schedule(rsqrt_schedule(warmup_steps=100), 1000, 100),
        {0: 0.1, 400: 0.05, 900: 1 / 30, 950: 950**-0.5 / 2, 990: 990**-0.5 / 10, 1000: 0.0},
    ),
    "constant, by a root": (
        cooldown_schedule(constant_schedule(2.0), 104, 100, shape="sqrt"),
        {4: 2.0, 5: 1.8, 13: 1.4, 29: 1.0, 104: 0.0},
    ),
    "warm-up": (warmup_schedule(4), {0: 0.25, 3: 1.0, 9: 1.0}),
    "product, as T5X writes it": (
        product_schedule(
            [constant_schedule(0.5), warmup_schedule(100), rsqrt_schedule(warmup_steps=1)]
        ),
        {0: 0.005, 25: 0.5 * 0.26 / 5, 100: 0.05, 400: 0.025},
    ),
    "piecewise": (
        piecewise_schedule(
            [constant_schedule(1.0, 2), linear_schedule(0.5, 5), constant_schedule(0.1)], [4, 9]
        ),
        {0: 0.5, 1: 1.0, 3: 1.0, 4: 0.5, 5: 0.4, 8: 0.1, 9: 0.1, 99: 0.1},
    ),
}
ROWS = [(name, step, rate) for name, (_, rates) in TABLE.items() for step, rate in rates.items()]


@pytest.mark.parametrize(("name", "step", "rate"), ROWS)
def test_rate(name, step, rate):
    assert float(TABLE[name][0](step)) == pytest.approx(rate, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("name", TABLE)
def test_rates_inside_jit_are_the_same(name):
    schedule, rates = TABLE[name]
    jitted = jax.jit(schedule)
    for step, rate in rates.items():
        traced = jitted(jnp.asarray(step, jnp.int32))
        assert float(traced) == pytest.approx(rate, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("name", [name for name in TABLE if "linear" in name or "cosine" in name])
def test_the_first_update_is_never_wasted(name):
    assert float(TABLE[name][0](0)) > 0


@pytest.mark.parametrize("schedule", [linear_schedule, cosine_schedule])
@pytest.mark.parametrize(("total", "warmup"), [(0, 0), (10, 10), (10, 11)])
def test_decay_needs_steps_after_the_warmup(schedule, total, warmup):
    with pytest.raises(UserError, match=rf"total_steps \({total}\) must be above .*\({warmup}\)"):
        schedule(1.0, total_steps=total, warmup_steps=warmup)


@pytest.mark.parametrize(
    "make",
    [
        lambda: constant_schedule(1.0, warmup_steps=-1),
        lambda: linear_schedule(1.0, total_steps=10, warmup_steps=-1),
        lambda: cosine_schedule(1.0, total_steps=10, warmup_steps=-1),
    ],
)
def test_warmup_cannot_be_negative(make):
    with pytest.raises(UserError, match="warmup_steps must be 0 or more, got -1"):
        make()


@pytest.mark.parametrize("warmup", [0, -5])
def test_rsqrt_needs_a_warmup(warmup):
    with pytest.raises(UserError, match=f"at least 1, got {warmup}"):
        rsqrt_schedule(warmup_steps=warmup)


@pytest.mark.parametrize(("total", "cooldown"), [(10, 0), (10, 11), (0, 1)])
def test_a_cooldown_fits_into_the_steps(total, cooldown):
    with pytest.raises(UserError, match=f"The last {cooldown} of {total} total_steps"):
        cooldown_schedule(constant_schedule(1.0), total, cooldown)


def test_a_cooldown_has_a_known_shape():
    with pytest.raises(UserError, match=r"No shape of decay is called 'cubic': linear, cosine, sq"):
        cooldown_schedule(constant_schedule(1.0), 10, 5, shape="cubic")


def test_warmup_and_decay_of_wsd_do_not_overlap():
    with pytest.raises(UserError, match="4 warmup_steps and 7 decay_steps are more than the 10"):
        wsd_schedule(1.0, total_steps=10, decay_steps=7, warmup_steps=4)


@pytest.mark.parametrize("boundaries", [[], [4], [4, 4], [4, 3], [0, 3], [1, 2, 3]])
def test_boundaries_rise_between_schedules(boundaries):
    with pytest.raises(UserError, match=r"rising boundaries .* 3 schedules"):
        piecewise_schedule([constant_schedule(1.0)] * 3, boundaries)


def test_a_product_has_factors():
    with pytest.raises(UserError, match=r"product_schedule.factors is empty"):
        product_schedule([])
