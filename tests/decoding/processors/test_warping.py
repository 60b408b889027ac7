import numpy as np
import pytest

from t2t.decoding.processors.warping import MinP, Temperature, TopK, TopP
from t2t.errors import UserError
from tests.decoding.histories import random_history, random_logits

LOGITS, HISTORY = random_logits(3), random_history(3)
POSSIBLE = np.isfinite(LOGITS)


def probabilities(logits):
    exponentials = np.exp(np.asarray(logits, np.float64))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def kept(processor, logits=LOGITS):
    """Which tokens are left; those have the logits that they had."""
    warped = np.asarray(processor(logits, HISTORY))
    left = warped > -np.inf
    np.testing.assert_array_equal(warped[left], np.asarray(logits)[left])
    return left


def test_temperature_divides():
    np.testing.assert_allclose(Temperature(0.5)(LOGITS, HISTORY), LOGITS * 2)
    np.testing.assert_array_equal(Temperature(1.0)(LOGITS, HISTORY), LOGITS)


@pytest.mark.parametrize("k", [1, 3, LOGITS.shape[1], 1000])
def test_top_k_keeps_the_k_likeliest(k):
    ranks = np.argsort(np.argsort(-LOGITS, axis=1), axis=1)
    np.testing.assert_array_equal(kept(TopK(k)), (ranks < k) & POSSIBLE)


@pytest.mark.parametrize("p", [0.05, 0.3, 0.7, 0.95, 0.999, 1.0])
@pytest.mark.parametrize("vocab", [LOGITS.shape[1], 500])
def test_top_p_keeps_the_smallest_set_whose_mass_reaches_p(p, vocab):
    logits = random_logits(3, vocab=vocab)
    for row, left in zip(probabilities(logits), kept(TopP(p), logits), strict=True):
        mass = row[left].sum()
        assert mass >= p - 1e-6
        assert mass - row[left].min() < p
        assert (left == (row > 0)).all() or row[left].min() > row[~left].max()


def test_a_nucleus_by_hand():
    logits = np.log(np.array([[0.1, 0.5, 0.15, 0.25]], np.float32))
    assert kept(TopP(0.5), logits).tolist() == [[False, True, False, False]]
    assert kept(TopP(0.51), logits).tolist() == [[False, True, False, True]]
    assert kept(TopP(0.89), logits).tolist() == [[False, True, True, True]]
    assert kept(TopP(1e-6), logits).tolist() == [[False, True, False, False]]


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1.0])
def test_min_p_keeps_what_is_likely_beside_the_likeliest(p):
    rows = probabilities(LOGITS)
    expected = rows >= (p - 1e-9) * rows.max(axis=1, keepdims=True)
    np.testing.assert_array_equal(kept(MinP(p)), expected & POSSIBLE)


@pytest.mark.parametrize("processor", [TopK(2), TopP(0.6), MinP(0.9)])
def test_tokens_as_likely_as_the_last_one_are_kept(processor):
    logits = np.array([[1.0, 2.0, 2.0, 2.0, 0.0]], np.float32)
    assert kept(processor, logits).tolist() == [[False, True, True, True, False]]


@pytest.mark.parametrize("processor", [Temperature(2.0), TopK(2), TopP(0.6), MinP(0.9)])
def test_forbidden_tokens_stay_forbidden(processor):
    logits = np.array([[1.0, -np.inf, 0.9], [-np.inf] * 3], np.float32)
    warped = np.asarray(processor(logits, HISTORY))
    assert np.isneginf(warped).tolist() == [[False, True, False], [True, True, True]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Temperature(0), "temperature must be above 0 and finite, got 0. .* use Greedy"),
        (lambda: Temperature(float("inf")), "temperature must be above 0 and finite, got inf"),
        (lambda: TopK(-2), "top_k must be at least 1, got -2"),
        (lambda: TopP(0), r"top_p must be in \(0, 1\], got 0"),
        (lambda: TopP(1.01), r"top_p must be in \(0, 1\], got 1.01"),
        (lambda: MinP(-1), r"min_p must be in \[0, 1\], got -1"),
        (lambda: MinP(2), r"min_p must be in \[0, 1\], got 2"),
        (lambda: TopP(float("nan")), r"top_p must be in \(0, 1\], got nan"),
    ],
)
def test_settings_are_checked(make, message):
    with pytest.raises(UserError, match=message):
        make()
