import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.models.positions import LinearScaling, Llama3Scaling, RoPE, YarnScaling
from tests.models.positions.builds import build

SCALINGS = {
    "none": None,
    "linear": LinearScaling(4.0),
    "llama3": Llama3Scaling(8.0, 1.0, 4.0, 32),
    "yarn": YarnScaling(4.0, 64),
}


def queries(length=6, head_dim=8, heads=2, batch=2, dtype=jnp.float32):
    return jax.random.normal(jax.random.key(1), (batch, length, heads, head_dim), dtype)


def turned(x, positions, frequencies, interleaved):
    """Multiplies pairs of features, as complex numbers, by exp(i angle), in float64."""
    x, angles = np.asarray(x, np.float64), np.asarray(positions)[..., None, None] * frequencies
    half = len(frequencies)
    first = slice(0, 2 * half, 2) if interleaved else slice(0, half)
    second = slice(1, 2 * half, 2) if interleaved else slice(half, 2 * half)
    pairs = (x[..., first] + 1j * x[..., second]) * np.exp(1j * angles)
    out = x.copy()
    out[..., first], out[..., second] = pairs.real, pairs.imag
    return out


@pytest.mark.parametrize("interleaved", [True, False])
@pytest.mark.parametrize(("fraction", "turning"), [(1.0, 8), (0.5, 4), (0.25, 2)])
def test_pairs_are_multiplied_as_complex_numbers(interleaved, fraction, turning):
    x = queries()
    positions = jnp.arange(6)[None] * 7
    module = build(RoPE(500.0, fraction, interleaved), head_dim=8)
    frequencies = 500.0 ** (-np.arange(0, turning, 2) / turning)
    actual = module.rotate(x, positions)
    expected = turned(x, positions, frequencies, interleaved)
    np.testing.assert_allclose(actual, expected, atol=1e-5)
    np.testing.assert_array_equal(actual[..., turning:], x[..., turning:])


def test_position_zero_is_left_alone():
    x = queries()
    np.testing.assert_array_equal(build(RoPE()).rotate(x, jnp.zeros((1, 6), jnp.int32)), x)


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("interleaved", [True, False])
def test_scores_depend_on_offsets_alone(scaling, interleaved):
    module = build(RoPE(interleaved=interleaved, scaling=SCALINGS[scaling], fraction=0.5))
    q, k = queries(), queries()[::-1]
    positions = jnp.arange(6)[None]

    def scores(shift):
        turned_q = module.rotate(q, positions + shift)
        return jnp.einsum("bqhd,bkhd->bhqk", turned_q, module.rotate(k, positions + shift))

    np.testing.assert_allclose(scores(0), scores(100), atol=2e-4)
    assert np.abs(scores(0) - jnp.einsum("bqhd,bkhd->bhqk", q, k)).max() > 0.1


def test_positions_of_each_row_and_traced_ones():
    x = queries()
    positions = jnp.array([[0, 1, 2, 0, 1, 2], [5, 4, 3, 2, 1, 0]])
    rotate = jax.jit(build(RoPE()).rotate)
    actual = rotate(x, positions)
    np.testing.assert_allclose(actual[1:], rotate(x[1:], positions[1:]), atol=1e-6)
    step = rotate(x[:, 3:4], jnp.array([[2]]))
    np.testing.assert_allclose(step[1], actual[1, 3:4], atol=1e-6)


def test_half_precision_is_turned_in_float32():
    x = queries(dtype=jnp.bfloat16)
    positions = jnp.arange(6)[None] + 1000
    module = build(RoPE())
    actual = module.rotate(x, positions)
    assert actual.dtype == jnp.bfloat16
    expected = module.rotate(x.astype(jnp.float32), positions).astype(jnp.bfloat16)
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("scaling", ["linear", "llama3", "yarn"])
def test_amplitude_multiplies_what_turns(scaling):
    spec = SCALINGS[scaling]
    x = queries()
    actual = build(RoPE(scaling=spec, fraction=0.5)).rotate(x, jnp.zeros((1, 6), jnp.int32))
    np.testing.assert_allclose(actual[..., :4], x[..., :4] * spec.amplitude, rtol=1e-6)
    np.testing.assert_array_equal(actual[..., 4:], x[..., 4:])


@pytest.mark.parametrize("head_dim", [5, 1])
def test_odd_numbers_of_features_are_refused(head_dim):
    with pytest.raises(UserError, match=rf"RoPE.fraction = 1.0 of .*head_dim = {head_dim} "):
        build(RoPE(), head_dim=head_dim)


@pytest.mark.parametrize(
    ("settings", "field"),
    [({"theta": 1.0}, "theta"), ({"fraction": 0.0}, "fraction"), ({"fraction": 1.5}, "fraction")],
)
def test_mistaken_settings_are_named(settings, field):
    with pytest.raises(UserError, match=f"RoPE.{field}"):
        RoPE(**settings)
