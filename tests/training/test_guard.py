"""Updates that are left out, on eight simulated devices and one."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.training.guard import Guard, GuardState


@functools.cache
def judging(guard):
    return jax.jit(guard.judge)


def judge(guard, state, loss, items=2.0, norms=(1.0, 1.0)):
    """Of a step whose loss per item is `loss`."""
    return judging(guard)(state, jnp.float32(loss * items), jnp.float32(items), norms)


def after(guard, losses):
    state = GuardState()
    for loss in losses:
        _, state = judge(guard, state, loss)
    return state


def test_mean_and_deviation_are_those_of_all_losses_while_there_are_few():
    losses = [3.0, 1.0, 4.0, 1.5, 9.0]
    state = after(Guard(memory=10), losses)
    assert state.mean == pytest.approx(np.mean(losses))
    assert state.variance == pytest.approx(np.var(losses), rel=1e-5)
    assert (state.seen, state.skipped, state.in_a_row) == (5, 0, 0)


def test_later_they_are_exponentially_weighted():
    losses = np.random.default_rng(0).normal(3, 1, 20).astype(np.float32)
    state = after(Guard(memory=4), losses)
    weights = np.array([0.25] * 3 + [0.25 * 0.75**i for i in range(17)][::-1])
    weights[:3] = 0.75**17 / 3  # the first three of four weigh alike; the fourth begins to decay
    mean = np.average(losses, weights=weights)
    assert state.mean == pytest.approx(mean, rel=1e-5)
    assert state.variance == pytest.approx(
        np.average((losses - mean) ** 2, weights=weights), rel=1e-4
    )


@pytest.mark.parametrize(
    "bad", [{"loss": np.nan}, {"loss": np.inf}, {"norms": (np.nan, 1.0)}, {"norms": (1.0, np.inf)}]
)
def test_what_is_not_finite_is_left_out_and_not_remembered(bad):
    guard = Guard()
    before = after(guard, [2.0, 3.0])
    accepted, state = judge(guard, before, **{"loss": 2.0} | bad)
    assert not accepted
    assert state == before._replace(skipped=1, in_a_row=1)
    _, state = judge(guard, state, **{"loss": 2.0} | bad)
    assert (state.skipped, state.in_a_row) == (2, 2)
    accepted, state = judge(guard, state, 2.5)
    assert accepted
    assert (state.seen, state.skipped, state.in_a_row) == (3, 2, 0)


def test_a_peak_is_a_loss_far_above_the_mean_after_the_warmup():
    guard = Guard(deviations=2.0, warmup=4)
    losses = [1.0, 3.0, 1.0, 3.0]  # mean 2, deviation 1
    assert judge(guard, after(guard, losses), 3.99)[0]
    assert not judge(guard, after(guard, losses), 4.01)[0]
    assert judge(guard, after(guard, losses), -9.0)[0]
    assert judge(guard, after(guard, losses[:3]), 99.0)[0]  # still warming up
    assert judge(Guard(warmup=4), after(guard, losses), 99.0)[0]  # nobody asked


def test_a_step_without_items_counts_as_done_and_teaches_nothing():
    guard = Guard(deviations=2.0, warmup=2)
    before = after(guard, [5.0, 6.0])
    accepted, state = judge(guard, before, 0.0, items=0.0)
    assert accepted
    assert state == before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"deviations": 0.0}, r"Guard.deviations must be above 0 \(or None\), got 0.0"),
        ({"limit": 0}, "Guard.limit must be at least 1, got 0"),
        ({"rollbacks": -1}, "Guard.rollbacks must be at least 0"),
        ({"warmup": 1}, "Guard.warmup must be at least 2"),
        ({"memory": 1}, "Guard.memory must be at least 2"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        Guard(**settings)
