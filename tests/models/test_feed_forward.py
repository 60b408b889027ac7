import jax
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.models.config import Compute, Dropout
from t2t.models.feed_forward import FeedForward
from t2t.models.initializers import FanInInit
from t2t.models.shared import Shared
from tests.models.test_activations import BY_HAND


def random(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def build(activations, bias=False, rate=0.0):
    shared = Shared(FanInInit(), Dropout(hidden=rate), Compute())
    return FeedForward(6, activations, bias).build(5, 2, shared, jax.random.key(0))


def apply(dense, x):
    out = x @ np.asarray(dense.kernel[...], np.float64)
    return out + np.asarray(dense.bias[...]) if hasattr(dense, "bias") else out


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    "activations",
    [("relu",), ("gelu_exact",), ("gelu_tanh", "linear"), ("silu", "relu", "linear")],
)
def test_multiplies_its_activations(activations, bias):
    layer = build(activations, bias)
    names = ["wi"] if len(activations) == 1 else [f"wi_{i}" for i in range(len(activations))]
    for i, name in enumerate([*names, "wo"] if bias else []):
        dense = getattr(layer, name)
        dense.bias[...] = random(dense.bias[...].shape, 10 + i)
    x, hidden = random((2, 3, 5)), np.ones((2, 3, 6))
    for name, activation in zip(names, activations, strict=True):
        hidden *= np.vectorize(BY_HAND[activation])(apply(getattr(layer, name), x))
    np.testing.assert_allclose(layer(x, None), apply(layer.wo, hidden), rtol=1e-4, atol=1e-5)


def test_branches_are_initialised_differently():
    layer = build(("gelu_tanh", "linear"))
    assert not np.array_equal(layer.wi_0.kernel[...], layer.wi_1.kernel[...])


def test_drops_hidden_units_only_with_a_key():
    layer, same, x = build(("relu",), rate=0.5), build(("relu",)), random((2, 3, 5))
    np.testing.assert_array_equal(layer(x, None), same(x, None))
    assert not np.array_equal(layer(x, jax.random.key(1)), layer(x, None))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), r"FeedForward\.d_ff must be at least 1"),
        ((6, ()), r"FeedForward\.activations names no activation"),
        ((6, ("gelu_tanh", "liner")), r"FeedForward\.activations: 'liner'.*'linear'"),
    ],
)
def test_impossible_settings_are_named(arguments, message):
    with pytest.raises(UserError, match=message):
        FeedForward(*arguments)
