import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.decoding.processors.repetition import RepetitionPenalty
from t2t.errors import UserError
from tests.decoding.histories import history, random_history, random_logits


def naive(logits, given, penalty):
    """Row by row, token by token."""
    result = np.array(logits)
    for row, (tokens, seen) in enumerate(zip(given.tokens, given.seen, strict=True)):
        for token in {int(t) for t, s in zip(tokens, seen, strict=True) if s}:
            if token < result.shape[1]:
                x = result[row, token]
                result[row, token] = x * penalty if x < 0 else x / penalty
    return result


def test_known_answer():
    logits = jnp.array([[4.0, -4.0, 4.0, -4.0]])
    result = RepetitionPenalty(2.0)(logits, history([[0, 1, 1, 1, 0]], prompt=3))
    np.testing.assert_array_equal(result, [[2.0, -8.0, 4.0, -4.0]])


@pytest.mark.parametrize("penalty", [0.5, 1.0, 1.2, 5.0])
def test_equals_a_loop_over_tokens(penalty):
    call = jax.jit(RepetitionPenalty(penalty))
    for seed in range(20):
        logits, given = random_logits(seed), random_history(seed)
        expected = naive(logits, given, penalty)
        np.testing.assert_allclose(call(logits, given), expected, rtol=1e-6)


def test_padding_and_what_is_to_come_do_not_count():
    logits = random_logits(3)
    given = random_history(3)
    hidden = given._replace(seen=jnp.zeros_like(given.seen))
    np.testing.assert_array_equal(RepetitionPenalty(3.0)(logits, hidden), logits)


def test_what_is_forbidden_stays_forbidden():
    logits = jnp.full((1, 3), -jnp.inf)
    result = RepetitionPenalty(1.5)(logits, history([[1, 2]], prompt=1))
    np.testing.assert_array_equal(result, logits)


def test_tokens_beyond_the_logits_are_left_out():
    """A model may have fewer outputs than its decoder reads tokens."""
    logits = jnp.array([[1.0, 2.0]])
    result = RepetitionPenalty(2.0)(logits, history([[7, 1]], prompt=1))
    np.testing.assert_array_equal(result, [[1.0, 1.0]])


@pytest.mark.parametrize("penalty", [0, -1.0, float("nan"), float("inf")])
def test_penalties_are_above_0(penalty):
    with pytest.raises(UserError, match=r"RepetitionPenalty.penalty must be above 0"):
        RepetitionPenalty(penalty)
