import jax
import numpy as np
import optax
import pytest

from t2t.errors import UserError
from t2t.training.optimizers import adamw, sgd, with_ema
from t2t.training.optimizers.averaging import evaluated_params
from t2t.training.schedules import constant_schedule
from t2t.training.trainable import Trainable
from tests.training.optimizers.runs import assert_close, run, stacked_gradients, stacked_params

RATE = constant_schedule(0.1)


def trained(optimizer, steps):
    """Parameters after each step from the initial ones on, and the last state."""
    params, history = stacked_params(), [stacked_params()]
    trained, rest = optimizer.trainable.select(params).split(params)
    state = optimizer.transformation.init(trained)
    for step in range(steps):
        grads = optimizer.trainable.select(params).split(stacked_gradients(step))[0]
        updates, state = jax.jit(optimizer.transformation.update)(grads, state, trained)
        trained = optax.apply_updates(trained, updates)
        history.append(optimizer.trainable.select(params).merge(trained, rest))
    return history, state


def test_the_average_is_the_moving_one_of_parameters():
    optimizer = with_ema(sgd(RATE), decay=0.25)
    history, state = trained(optimizer, 5)
    expected = history[0]
    for count, params in enumerate(history[1:], start=1):
        kept = min(0.25, (1 + count) / (10 + count))
        expected = jax.tree.map(
            lambda old, new, kept=kept: kept * old + (1 - kept) * new, expected, params
        )
    assert_close(evaluated_params(history[-1], state, optimizer), expected)
    assert [min(0.25, (1 + n) / (10 + n)) for n in (1, 2)] == [2 / 11, 0.25]  # both are seen


def test_training_is_the_same_without():
    plain = run(adamw(RATE).transformation, stacked_params(), stacked_gradients)
    averaged = run(with_ema(adamw(RATE)).transformation, stacked_params(), stacked_gradients)
    assert_close(averaged, plain, rtol=0)


def test_without_an_average_the_parameters_are_evaluated():
    params = stacked_params()
    optimizer = adamw(RATE)
    state = optimizer.transformation.init(params)
    assert evaluated_params(params, state, optimizer) is params


def test_what_is_not_trained_is_taken_as_it_is():
    optimizer = with_ema(sgd(RATE), decay=0.5)._replace(trainable=Trainable((".*/layers/1/.*",)))
    history, state = trained(optimizer, 3)
    found = evaluated_params(history[-1], state, optimizer)["encoder"]["layers"]["kernel"]
    first, last = (history[i]["encoder"]["layers"]["kernel"] for i in (0, -1))
    np.testing.assert_array_equal(found[0], first[0])
    assert not np.allclose(found[1], last[1])
    assert not np.allclose(found[1], first[1])


@pytest.mark.parametrize("decay", [0.0, 1.0, -0.5, float("nan")])
def test_the_decay_is_between_0_and_1(decay):
    with pytest.raises(UserError, match=r"with_ema.decay must be between 0 and 1"):
        with_ema(sgd(RATE), decay)
