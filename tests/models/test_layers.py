import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.models.layers import Dense, Embedding, FeedForward, RMSNorm, dropout


def random(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def scalar_map(function):
    return np.vectorize(function, otypes=[np.float64])


# Independent of jax.nn: the tanh form is what the released T5 1.1 was trained with.
ACTIVATIONS = {
    "relu": scalar_map(lambda x: max(x, 0.0)),
    "gelu": scalar_map(
        lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    ),
    "silu": scalar_map(lambda x: x / (1 + math.exp(-x))),
    "linear": scalar_map(lambda x: x),
}


def test_rms_norm_equals_numpy():
    norm = RMSNorm(8, epsilon=1e-3)
    norm.scale[...] = scale = random((8,), 1)
    x = 0.1 * random((2, 3, 8)) + 5.0  # a mean that layer normalisation would remove
    expected = x / np.sqrt((x.astype(np.float64) ** 2).mean(-1, keepdims=True) + 1e-3) * scale
    np.testing.assert_allclose(norm(x), expected, rtol=1e-5)


def test_rms_norm_of_zeros_is_zero_with_finite_gradient():
    norm = RMSNorm(8, epsilon=1e-6)
    zeros = jnp.zeros((1, 2, 8))
    np.testing.assert_array_equal(norm(zeros), zeros)
    assert np.isfinite(jax.grad(lambda x: norm(x).sum())(zeros)).all()


def test_rms_norm_computes_in_float32_and_keeps_bfloat16():
    norm = RMSNorm(8, epsilon=1e-6)
    x = jnp.asarray(random((1, 2, 8)), jnp.bfloat16)
    assert norm(x).dtype == jnp.bfloat16
    np.testing.assert_array_equal(norm(x), norm(x.astype(jnp.float32)).astype(jnp.bfloat16))


@pytest.mark.parametrize("shape", [(5,), (4, 5), (2, 3, 5)])
def test_dense_multiplies_the_last_axis(shape):
    dense = Dense(5, 7, ("a", "b"), key=jax.random.key(0))
    x = random(shape)
    expected = np.tensordot(x, np.asarray(dense.kernel[...]), axes=1)
    assert dense(x).shape == expected.shape
    np.testing.assert_allclose(dense(x), expected, rtol=1e-5, atol=1e-6)


def test_dense_has_float32_parameters_and_the_dtype_of_its_input():
    dense = Dense(5, 7, ("a", "b"), key=jax.random.key(0))
    assert dense.kernel[...].dtype == jnp.float32
    assert dense(jnp.ones((2, 3, 5), jnp.bfloat16)).dtype == jnp.bfloat16


def test_embedding_looks_rows_up_and_attends_scaled():
    embedding = Embedding(11, 16, key=jax.random.key(0))
    table = np.asarray(embedding.embedding[...])
    tokens = np.array([[0, 10, 3], [3, 3, 1]])
    np.testing.assert_array_equal(embedding(tokens, jnp.float32), table[tokens])
    assert embedding(tokens, jnp.bfloat16).dtype == jnp.bfloat16
    x = random((2, 3, 16))
    np.testing.assert_allclose(embedding.attend(x), x @ table.T / 4.0, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "activations", [("relu",), ("gelu",), ("silu",), ("gelu", "linear"), ("silu", "relu", "linear")]
)
def test_feed_forward_multiplies_its_activations(activations):
    layer = FeedForward(5, 6, activations, dropout_rate=0.0, key=jax.random.key(0))
    names = ["wi"] if len(activations) == 1 else [f"wi_{i}" for i in range(len(activations))]
    x = random((2, 3, 5))
    hidden = np.ones((2, 3, 6))
    for name, activation in zip(names, activations, strict=True):
        hidden *= ACTIVATIONS[activation](x @ np.asarray(getattr(layer, name).kernel[...]))
    expected = hidden @ np.asarray(layer.wo.kernel[...])
    np.testing.assert_allclose(layer(x, None), expected, rtol=1e-4, atol=1e-5)


def test_feed_forward_branches_are_initialised_differently():
    layer = FeedForward(5, 6, ("gelu", "linear"), dropout_rate=0.0, key=jax.random.key(0))
    assert not np.array_equal(layer.wi_0.kernel[...], layer.wi_1.kernel[...])


def test_feed_forward_drops_hidden_units_only_with_a_key():
    layer = FeedForward(5, 6, ("relu",), dropout_rate=0.5, key=jax.random.key(0))
    x = random((2, 3, 5))
    same = FeedForward(5, 6, ("relu",), dropout_rate=0.0, key=jax.random.key(0))
    np.testing.assert_array_equal(layer(x, None), same(x, None))
    assert not np.array_equal(layer(x, jax.random.key(1)), layer(x, None))


@pytest.mark.parametrize(("rate", "key"), [(0.5, None), (0.0, 0)])
def test_dropout_without_key_or_rate_changes_nothing(rate, key):
    x = random((2, 3, 4))
    key = None if key is None else jax.random.key(key)
    np.testing.assert_array_equal(dropout(x, rate, key), x)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_dropout_zeroes_its_share_and_keeps_the_expectation(rate):
    x = np.full((100, 2, 100), 3.0, np.float32)
    dropped = np.asarray(dropout(x, rate, jax.random.key(0)))
    np.testing.assert_allclose(dropped[dropped != 0], 3.0 / (1 - rate), rtol=1e-6)
    error = 5 * math.sqrt(rate * (1 - rate) / 10_000)  # 10 000 independent draws
    assert abs((dropped == 0).mean() - rate) < error
    assert abs(dropped.mean() / 3.0 - 1) < error / (1 - rate)


def test_dropout_is_a_function_of_its_key():
    x = random((4, 3, 50))
    first, same, other = (dropout(x, 0.5, jax.random.key(k)) for k in (0, 0, 1))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_dropout_has_one_mask_along_the_axis_before_the_last_and_others_elsewhere():
    dropped = np.asarray(dropout(np.ones((6, 5, 40), np.float32), 0.5, jax.random.key(0)))
    np.testing.assert_array_equal(dropped, np.repeat(dropped[:, :1], 5, axis=1))
    assert len(np.unique(dropped[:, 0], axis=0)) == 6


def test_dropout_keeps_bfloat16():
    assert dropout(jnp.ones((2, 3, 4), jnp.bfloat16), 0.1, jax.random.key(0)).dtype == jnp.bfloat16
