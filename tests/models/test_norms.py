import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.models.norms import LayerNorm, RMSNorm


def random(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("offset", [0.0, 1.0])
def test_rms_norm_equals_numpy(offset):
    norm = RMSNorm(epsilon=1e-3, offset=offset).build(8)
    np.testing.assert_array_equal(norm.scale[...], 1.0 - offset)  # starts as the identity
    norm.scale[...] = scale = random((8,), 1)
    x = 0.1 * random((2, 3, 8)) + 5.0  # a mean that layer normalisation would remove
    root = np.sqrt((x.astype(np.float64) ** 2).mean(-1, keepdims=True) + 1e-3)
    np.testing.assert_allclose(norm(x), x / root * (scale + offset), rtol=1e-5)


@pytest.mark.parametrize("bias", [False, True])
def test_layer_norm_equals_numpy(bias):
    norm = LayerNorm(epsilon=1e-3, bias=bias).build(8)
    norm.scale[...] = scale = random((8,), 1)
    shift = np.zeros(8)
    if bias:
        norm.bias[...] = shift = random((8,), 2)
    assert hasattr(norm, "bias") == bias
    x = random((2, 3, 8)) + 5.0
    centred = x - x.mean(-1, keepdims=True, dtype=np.float64)
    expected = centred / np.sqrt(x.var(-1, keepdims=True) + 1e-3) * scale + shift
    np.testing.assert_allclose(norm(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("spec", [RMSNorm(), LayerNorm()])
def test_zeros_stay_zero_with_finite_gradient(spec):
    norm = spec.build(8)
    zeros = jnp.zeros((1, 2, 8))
    np.testing.assert_array_equal(norm(zeros), zeros)
    assert np.isfinite(jax.grad(lambda x: norm(x).sum())(zeros)).all()


@pytest.mark.parametrize("spec", [RMSNorm(), LayerNorm()])
def test_computes_in_float32_and_keeps_bfloat16(spec):
    norm = spec.build(8)
    x = jnp.asarray(random((1, 2, 8)), jnp.bfloat16)
    assert norm(x).dtype == jnp.bfloat16
    np.testing.assert_array_equal(norm(x), norm(x.astype(jnp.float32)).astype(jnp.bfloat16))
