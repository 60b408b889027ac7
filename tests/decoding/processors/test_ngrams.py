import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.decoding.processors.ngrams import NoRepeatNGrams
from t2t.errors import UserError
from tests.decoding.histories import history, random_history, random_logits


def naive(logits, given, n):
    """Every sequence of n tokens that stands in a row, as a set."""
    result = np.array(logits)
    for row, (tokens, seen) in enumerate(zip(given.tokens, given.seen, strict=True)):
        said = [int(t) for t, s in zip(tokens, seen, strict=True) if s]
        standing = {tuple(said[i : i + n]) for i in range(len(said) - n + 1)}
        if len(said) >= n - 1:
            last = said[len(said) - (n - 1) :]
            for token in range(result.shape[1]):
                if (*last, token) in standing:
                    result[row, token] = -np.inf
    return result


def forbidden(tokens, n):
    """Tokens that may not follow a row."""
    result = NoRepeatNGrams(n)(jnp.zeros((1, 5)), history([tokens], prompt=1, to_come=3))
    return np.flatnonzero(np.isneginf(result[0])).tolist()


@pytest.mark.parametrize(
    ("tokens", "n", "expected"),
    [
        ([1, 2, 3, 1], 1, [1, 2, 3]),
        ([1, 2, 3, 1], 2, [2]),
        ([1, 2, 1, 3, 1], 2, [2, 3]),
        ([1, 2, 3, 1], 3, []),
        ([1, 2, 3, 1, 2], 3, [3]),
        ([4, 4], 2, [4]),
        ([4, 4], 3, []),
        ([4, 4, 4], 3, [4]),
        ([0, 1], 2, []),
        ([1, 2, 3, 1, 2], 4, []),
        ([1], 20, []),
    ],
)
def test_known_answers(tokens, n, expected):
    assert forbidden(tokens, n) == expected


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_equals_a_loop_over_all_sequences(n):
    call = jax.jit(NoRepeatNGrams(n))
    changed = 0
    for seed in range(40):
        logits, given = random_logits(seed, vocab=3), random_history(seed, vocab=3)
        expected = naive(logits, given, n)
        np.testing.assert_array_equal(call(logits, given), expected)
        changed += (expected != np.asarray(logits)).sum()
    assert changed > 10


def test_a_sequence_does_not_reach_into_padding():
    # Padding is 0 and stands before the 1: "0 1" was never said, so 1 may follow 0.
    given = history([[0, 1, 2, 0]], prompt=1, padding=1)
    assert not np.isinf(NoRepeatNGrams(2)(jnp.zeros((1, 3)), given)).any()


def test_rows_do_not_see_each_other():
    given = history([[1, 2, 1], [2, 0, 2]], prompt=1)
    result = np.isinf(NoRepeatNGrams(2)(jnp.zeros((2, 3)), given))
    np.testing.assert_array_equal(result, [[False, False, True], [True, False, False]])


@pytest.mark.parametrize("n", [0, -2])
def test_n_is_at_least_1(n):
    with pytest.raises(UserError, match=f"NoRepeatNGrams.n must be at least 1, got {n}"):
        NoRepeatNGrams(n)
