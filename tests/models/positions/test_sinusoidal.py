import math

import jax.numpy as jnp
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.models.positions import SinusoidalPositions
from tests.models.positions.builds import build


def embedded(spec, positions, d_model=8):
    return np.asarray(build(spec, d_model=d_model).embed(jnp.asarray(positions)))


def test_every_value_is_the_papers():
    actual = embedded(SinusoidalPositions(), np.arange(50)[None])
    assert actual.shape == (1, 50, 8)
    assert actual.dtype == np.float32
    for position in range(50):
        for i in range(4):
            angle = position / 10000 ** (2 * i / 8)
            assert actual[0, position, 2 * i] == pytest.approx(math.sin(angle), abs=2e-6)
            assert actual[0, position, 2 * i + 1] == pytest.approx(math.cos(angle), abs=2e-6)


def test_known_values():
    actual = embedded(SinusoidalPositions(), [[0, 1]], d_model=4)
    np.testing.assert_allclose(
        actual[0], [[0, 1, 0, 1], [0.84147098, 0.54030231, 0.00999983, 0.99995]], atol=1e-7
    )


def test_halves_has_the_same_values_in_another_order():
    paper = embedded(SinusoidalPositions(), np.arange(9)[None])
    halves = embedded(SinusoidalPositions(layout="halves"), np.arange(9)[None])
    np.testing.assert_array_equal(halves[..., :4], paper[..., 0::2])
    np.testing.assert_array_equal(halves[..., 4:], paper[..., 1::2])


def test_tensor2tensor_reaches_the_longest_wavelength():
    actual = embedded(SinusoidalPositions(layout="tensor2tensor", offset=2), np.arange(20)[None])
    positions = np.arange(2, 22)[:, None]
    angles = positions * 10000.0 ** (-np.arange(4) / 3)
    expected = np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)
    np.testing.assert_allclose(actual[0], expected, atol=2e-6)
    np.testing.assert_allclose(actual[0, :, 3], np.sin(positions[:, 0] / 10000), atol=1e-9)


def test_packed_rows_start_over():
    spec = SinusoidalPositions()
    packed = embedded(spec, [[0, 1, 0, 1, 2], [0, 1, 2, 3, 0]])
    plain = embedded(spec, np.arange(4)[None])[0]
    np.testing.assert_array_equal(packed, plain[[[0, 1, 0, 1, 2], [0, 1, 2, 3, 0]]])


def test_mistaken_settings_are_named():
    with pytest.raises(UserError, match=r"layout: 'halve' is none of .* Did you mean 'halves'"):
        SinusoidalPositions(layout="halve")
    with pytest.raises(UserError, match=r"SinusoidalPositions.offset must be at least 0"):
        SinusoidalPositions(offset=-1)
    with pytest.raises(UserError, match=r"even d_model from 4 on, got 7"):
        build(SinusoidalPositions(), d_model=7)
