import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.models.layers import Dense, Table, dropout, split_key


def random(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


INIT = jax.nn.initializers.normal(1.0)


@pytest.mark.parametrize("shape", [(5,), (4, 5), (2, 3, 5)])
def test_dense_multiplies_the_last_axis(shape):
    dense = Dense(5, 7, ("a", "b"), key=jax.random.key(0), init=INIT)
    x = random(shape)
    expected = np.tensordot(x, np.asarray(dense.kernel[...]), axes=1)
    assert dense(x).shape == expected.shape
    np.testing.assert_allclose(dense(x), expected, rtol=1e-5, atol=1e-6)


def test_dense_has_float32_parameters_and_the_dtype_of_its_input():
    dense = Dense(5, 7, ("a", "b"), key=jax.random.key(0), init=INIT)
    assert dense.kernel[...].dtype == jnp.float32
    assert dense(jnp.ones((2, 3, 5), jnp.bfloat16)).dtype == jnp.bfloat16


def test_dense_adds_its_bias():
    dense = Dense(5, 7, ("a", "b"), key=jax.random.key(0), init=INIT, bias=True)
    np.testing.assert_array_equal(dense.bias[...], 0)
    x, before = random((2, 5)), np.asarray(dense(random((2, 5))))
    dense.bias[...] = bias = random((7,), 1)
    np.testing.assert_allclose(dense(x), before + bias, rtol=1e-6)


def test_a_table_looks_rows_up():
    layer = Table(11, 16, key=jax.random.key(0), init=INIT, axis="rows")
    table = np.asarray(layer.embedding[...])
    tokens = np.array([[0, 10, 3], [3, 3, 1]])
    np.testing.assert_array_equal(layer(tokens, jnp.float32), table[tokens])
    assert layer(tokens, jnp.bfloat16).dtype == jnp.bfloat16


@pytest.mark.parametrize(("rate", "key"), [(0.5, None), (0.0, 0)])
def test_dropout_without_key_or_rate_changes_nothing(rate, key):
    x = random((2, 3, 4))
    key = None if key is None else jax.random.key(key)
    np.testing.assert_array_equal(dropout(x, rate, key, shared_over_length=False), x)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_dropout_zeroes_its_share_and_keeps_the_expectation(rate):
    x = np.full((100, 2, 100), 3.0, np.float32)
    dropped = np.asarray(dropout(x, rate, jax.random.key(0), shared_over_length=False))
    np.testing.assert_allclose(dropped[dropped != 0], 3.0 / (1 - rate), rtol=1e-6)
    error = 5 * math.sqrt(rate * (1 - rate) / 10_000)  # 10 000 independent draws
    assert abs((dropped == 0).mean() - rate) < error
    assert abs(dropped.mean() / 3.0 - 1) < error / (1 - rate)


def test_dropout_is_a_function_of_its_key():
    x = random((4, 3, 50))
    first, same, other = (
        dropout(x, 0.5, jax.random.key(k), shared_over_length=False) for k in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_shared_over_length_has_one_mask_along_the_axis_before_the_last():
    dropped = np.asarray(
        dropout(np.ones((6, 5, 40), np.float32), 0.5, jax.random.key(0), shared_over_length=True)
    )
    np.testing.assert_array_equal(dropped, np.repeat(dropped[:, :1], 5, axis=1))
    assert len(np.unique(dropped[:, 0], axis=0)) == 6


def test_dropout_keeps_bfloat16():
    assert (
        dropout(
            jnp.ones((2, 3, 4), jnp.bfloat16), 0.1, jax.random.key(0), shared_over_length=False
        ).dtype
        == jnp.bfloat16
    )


def test_without_a_key_there_are_none_to_split():
    assert split_key(None, 2) == [None, None]
    assert len(split_key(jax.random.key(0), 3)) == 3
