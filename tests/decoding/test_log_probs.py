import functools
import types

import jax
import numpy as np
import pytest
from scipy.special import log_softmax

from t2t.decoding import log_probs

ROWS, LENGTH, WIDTH, VOCAB = 3, 7, 4, 11


@functools.cache
def example():
    """Hidden states, targets, and a head that counts how many positions it was called with."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(ROWS, LENGTH, WIDTH)).astype(np.float32)
    kernel = rng.normal(size=(WIDTH, VOCAB)).astype(np.float32)
    targets = rng.integers(0, VOCAB, (ROWS, LENGTH)).astype(np.int32)
    return hidden, kernel, targets


@pytest.mark.parametrize("positions", [0, 1, 3, 7, 100])
def test_equals_a_softmax_over_all_logits(positions, monkeypatch):
    monkeypatch.setattr(log_probs, "MAX_LOGITS_BYTES", 4 * ROWS * VOCAB * positions)
    hidden, kernel, targets = example()
    module = types.SimpleNamespace(logits=lambda x: x @ kernel)
    found = jax.jit(lambda h, t: log_probs.log_probs(module, h, t))(hidden, targets)
    whole = log_softmax((hidden @ kernel).astype(np.float64), axis=-1)
    expected = np.take_along_axis(whole, targets[:, :, None], axis=2)[:, :, 0]
    assert found.log_probs.dtype == np.float32
    np.testing.assert_allclose(found.log_probs, expected, atol=1e-5)
    np.testing.assert_array_equal(found.greedy, whole.argmax(axis=-1) == targets)
    assert 0 < found.greedy.sum() < found.greedy.size


def test_logits_are_made_in_parts(monkeypatch):
    monkeypatch.setattr(log_probs, "MAX_LOGITS_BYTES", 4 * ROWS * VOCAB * 2)
    hidden, kernel, targets = example()
    module = types.SimpleNamespace(logits=lambda x: x @ kernel)
    traced = jax.make_jaxpr(lambda h, t: log_probs.log_probs(module, h, t))(hidden, targets)
    assert f"f32[{ROWS},{LENGTH},{VOCAB}]" not in str(traced)
    assert f"f32[2,{ROWS},{VOCAB}]" in str(traced)
