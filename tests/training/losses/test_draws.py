import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.training.losses.draws import sample


def logits_of(probabilities):
    return jnp.log(jnp.asarray(probabilities, jnp.float32))


@pytest.mark.parametrize("vocab", [1, 2, 5, 9, 10, 37])
def test_tokens_come_as_often_as_the_softmax_says(vocab):
    logits = 2 * np.random.default_rng(vocab).normal(size=vocab).astype(np.float32)
    draws = 20_000
    uniforms = jax.random.uniform(jax.random.key(0), (draws, 2))
    tokens = sample(jnp.broadcast_to(logits[None], (draws, vocab)), uniforms)
    wanted = np.exp(logits) / np.exp(logits).sum()
    found = np.bincount(np.asarray(tokens), minlength=vocab) / draws
    deviation = np.sqrt(wanted * (1 - wanted) / draws)
    assert (np.abs(found - wanted) <= 4 * deviation + 1e-9).all()


@pytest.mark.parametrize("first", [0.0, 0.5, 1 - 2**-24])
@pytest.mark.parametrize("second", [0.0, 0.5, 1 - 2**-24])
def test_what_has_no_probability_is_never_drawn(first, second):
    possible = {2, 5, 6}  # of blocks (0 0 x) (0 0 x) (x 0 0)
    probabilities = [0.2 if token in possible else 0.0 for token in range(8)]
    assert int(sample(logits_of(probabilities), jnp.array([first, second]))) in possible


def test_numbers_lead_through_the_vocabulary_in_order():
    steps = jnp.linspace(0, 0.999, 50)
    uniforms = jnp.stack([steps, jnp.zeros(50)], -1)
    blocks = sample(jnp.zeros((50, 9)), uniforms)
    assert np.unique(blocks).tolist() == [0, 3, 6]
    within = sample(jnp.zeros((50, 9)), uniforms[:, ::-1])
    assert np.unique(within).tolist() == [0, 1, 2]


def test_is_the_same_for_any_shape_in_front():
    logits = jnp.asarray(np.random.default_rng(0).normal(size=(2, 3, 11)), jnp.float32)
    uniforms = jax.random.uniform(jax.random.key(1), (2, 3, 2))
    flat = sample(logits.reshape(6, 11), uniforms.reshape(6, 2))
    np.testing.assert_array_equal(sample(logits, uniforms).ravel(), flat)
