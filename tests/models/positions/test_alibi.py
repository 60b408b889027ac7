import jax.numpy as jnp
import numpy as np
import pytest

from t2t.models.positions import ALiBi, alibi_slopes
from tests.models.positions.builds import build


def test_slopes_of_eight_heads_are_the_papers():
    np.testing.assert_array_equal(alibi_slopes(8), [2.0**-i for i in range(1, 9)])


def test_slopes_of_sixteen_heads_are_the_papers():
    np.testing.assert_allclose(alibi_slopes(16), [2.0 ** (-i / 2) for i in range(1, 17)], rtol=1e-7)


def test_slopes_of_twelve_heads_are_those_of_eight_and_every_other_of_sixteen():
    expected = [*(2.0**-i for i in range(1, 9)), 2**-0.5, 2**-1.5, 2**-2.5, 2**-3.5]
    np.testing.assert_allclose(alibi_slopes(12), expected, rtol=1e-7)


@pytest.mark.parametrize("heads", [1, 2, 3, 5, 7, 20, 71])
def test_every_head_has_its_own_slope(heads):
    slopes = alibi_slopes(heads)
    assert slopes.shape == (heads,)
    assert slopes.dtype == np.float32
    assert len(set(slopes.tolist())) == heads
    assert 0 < slopes.min() <= slopes.max() < 1


@pytest.mark.parametrize("causal", [True, False])
def test_scores_lose_slope_times_distance(causal):
    bias = np.asarray(build(ALiBi(), num_heads=8, causal=causal).bias(4, 6, jnp.float32))
    assert bias.shape == (1, 8, 4, 6)
    for head in range(8):
        for query in range(4):
            for key in range(6):
                assert bias[0, head, query, key] == -(2.0 ** -(head + 1)) * abs(query - key)


def test_bias_has_the_dtype_asked_for():
    module = build(ALiBi())
    assert module.bias(3, 3, jnp.bfloat16).dtype == jnp.bfloat16
    assert module.bias_row(jnp.array(1), 3, jnp.bfloat16).dtype == jnp.bfloat16
