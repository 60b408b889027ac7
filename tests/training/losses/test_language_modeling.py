import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp

from t2t.errors import UserError
from t2t.training.losses.language_modeling import Loss

BATCH, LENGTH, VOCAB = 3, 4, 11


def random():
    rng = np.random.default_rng(0)
    logits = 3 * rng.normal(size=(BATCH, LENGTH, VOCAB)).astype(np.float32)
    return logits, rng.integers(0, VOCAB, (BATCH, LENGTH))


def smoothed(targets, smoothing):
    """The distribution to predict: the rest of the mass spread evenly over the wrong tokens."""
    wanted = np.full((BATCH, LENGTH, VOCAB), smoothing / (VOCAB - 1))
    np.put_along_axis(wanted, targets[..., None], 1 - smoothing, axis=-1)
    return wanted


@pytest.mark.parametrize("z_loss", [0.0, 1e-4, 0.5])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
def test_equals_numpy(smoothing, z_loss):
    logits, targets = random()
    wanted = smoothed(targets, smoothing)
    # Kullback-Leibler divergence from the wanted distribution; entropy of certainty is 0.
    logs = np.log(wanted, where=wanted > 0, out=np.zeros_like(wanted))
    wide = logits.astype(np.float64)
    expected = (wanted * (logs - log_softmax(wide, axis=-1))).sum(-1)
    expected += z_loss * logsumexp(wide, axis=-1) ** 2
    actual = Loss(smoothing, z_loss)(logits, targets)
    assert actual.shape == (BATCH, LENGTH)
    assert actual.dtype == jnp.float32
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def test_uniform_logits_cost_the_logarithm_of_the_vocabulary_size():
    _, targets = random()
    loss = Loss()(jnp.zeros((BATCH, LENGTH, VOCAB)), targets)
    np.testing.assert_allclose(loss, np.log(VOCAB), rtol=1e-6)


@pytest.mark.parametrize("smoothing", [0.1, 0.5])
def test_with_smoothing_the_minimum_is_zero_at_the_smoothed_distribution(smoothing):
    _, targets = random()
    perfect = np.log(smoothed(targets, smoothing)).astype(np.float32)
    loss = Loss(smoothing)
    np.testing.assert_allclose(loss(perfect, targets), 0, atol=1e-5)
    gradient = jax.grad(lambda logits: loss(logits, targets).sum())(perfect)
    np.testing.assert_allclose(gradient, 0, atol=1e-5)
    for seed in range(5):
        noise = np.random.default_rng(seed).normal(size=perfect.shape).astype(np.float32)
        assert (loss(perfect + noise, targets) > 1e-3).all()


def test_z_loss_alone_depends_on_a_shift_of_all_logits():
    logits, targets = random()
    shifted = logits + 5.0
    np.testing.assert_allclose(Loss()(shifted, targets), Loss()(logits, targets), atol=1e-5)
    assert (Loss(z_loss=0.1)(shifted, targets) > Loss(z_loss=0.1)(logits, targets) + 0.1).all()


@pytest.mark.parametrize("loss", [Loss(), Loss(0.1), Loss(z_loss=1e-4), Loss(0.1, 1e-4)])
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e4])
def test_value_and_gradient_are_finite(loss, scale):
    logits, targets = random()
    value, gradient = jax.value_and_grad(lambda x: loss(x, targets).sum())(scale * logits)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("smoothing", "z_loss"), [(-0.1, 0.0), (1.0, 0.0), (float("nan"), 0.0), (0.0, -1e-4)]
)
def test_impossible_settings_are_errors(smoothing, z_loss):
    with pytest.raises(UserError, match="0 <= label_smoothing < 1 and z_loss >= 0"):
        Loss(smoothing, z_loss)


def test_a_limit_of_no_bytes_is_an_error():
    with pytest.raises(UserError, match="max_logits_bytes >= 1, got 0"):
        Loss(max_logits_bytes=0)


@pytest.mark.parametrize(
    ("loss", "plain"),
    [(Loss(), True), (Loss(max_logits_bytes=9), True), (Loss(0.1), False), (Loss(z_loss=1), False)],
)
def test_plain_means_neither_smoothing_nor_z_loss(loss, plain):
    assert loss.is_plain == plain
