import math

import numpy as np
import pytest

from t2t.errors import UserError
from t2t.models.positions import LinearScaling, Llama3Scaling, RoPE, YarnScaling


def plain(theta, features):
    return theta ** (-np.arange(0, features, 2) / features)


def test_frequencies_without_scaling():
    actual = RoPE(10000.0).frequencies(64)
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, plain(10000.0, 64), rtol=5e-7)
    assert actual[0] == 1.0


def test_linear_divides_all():
    actual = RoPE(10000.0, scaling=LinearScaling(4.0)).frequencies(8)
    np.testing.assert_allclose(actual, [0.25, 0.025, 0.0025, 0.00025], rtol=1e-6)


def test_llama3_keeps_short_waves_and_divides_long_ones():
    """Llama 3.1's own settings, each frequency by its wavelength in plain Python."""
    actual = RoPE(500000.0, scaling=Llama3Scaling(8.0, 1.0, 4.0, 8192)).frequencies(128)
    kinds = set()
    for frequency, scaled in zip(plain(500000.0, 128), actual, strict=True):
        wavelength = 2 * math.pi / frequency
        if wavelength < 8192 / 4:
            kinds.add("short")
            expected = frequency
        elif wavelength > 8192:
            kinds.add("long")
            expected = frequency / 8
        else:
            kinds.add("between")
            smooth = (8192 / wavelength - 1) / (4 - 1)
            expected = (1 - smooth) * frequency / 8 + smooth * frequency
        assert scaled == pytest.approx(expected, rel=2e-6)
    assert kinds == {"short", "long", "between"}
    assert actual.dtype == np.float32


@pytest.mark.parametrize("truncate", [True, False])
def test_yarn_ramps_between_two_indices(truncate):
    """The paper's Llama 2: from waves that fit 32 times into 4096 positions to those that do once.

    Wave i has length 2 pi 10000 ** (i / 64), so their indices are about 20.9 and 45.03.
    """
    low, high = (64 * math.log(4096 / (2 * math.pi * turns), 10000) for turns in (32, 1))
    if truncate:
        low, high = 20, 46
    spec = YarnScaling(16.0, 4096, truncate=truncate)
    actual = RoPE(10000.0, scaling=spec).frequencies(128)
    ramp = np.clip((np.arange(64) - low) / (high - low), 0, 1)
    expected = plain(10000.0, 128) * (1 - ramp + ramp / 16)
    np.testing.assert_allclose(actual, expected, rtol=1e-5)
    assert actual.dtype == np.float32


def test_yarn_ramp_of_no_width_is_a_step():
    # So short an original length that both ends are index 0.
    actual = RoPE(10000.0, scaling=YarnScaling(2.0, 4)).frequencies(8)
    np.testing.assert_allclose(actual, plain(10000.0, 8) / [1, 2, 2, 2], rtol=1e-6)


def test_yarn_attention_factor_is_the_papers_unless_given():
    assert YarnScaling(16.0, 4096).amplitude == pytest.approx(0.1 * math.log(16) + 1)
    assert YarnScaling(1.0, 4096).amplitude == 1.0
    assert YarnScaling(16.0, 4096, attention_factor=1.5).amplitude == 1.5
    assert LinearScaling(2.0).amplitude == Llama3Scaling(8.0, 1.0, 4.0, 8192).amplitude == 1.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LinearScaling(0.5), r"LinearScaling.factor must be at least 1, got 0.5"),
        (lambda: Llama3Scaling(8.0, 4.0, 4.0, 8192), r"0 < low_freq_factor < high_freq_factor"),
        (lambda: Llama3Scaling(8.0, 1.0, 4.0, 0), r"original_max_position_embeddings"),
        (lambda: YarnScaling(0.0, 4096), r"YarnScaling.factor"),
        (lambda: YarnScaling(2.0, 4096, beta_fast=1.0), r"0 < beta_slow < beta_fast"),
    ],
)
def test_mistaken_settings_are_named(make, message):
    with pytest.raises(UserError, match=message):
        make()
