import jax.numpy as jnp
import numpy as np

from t2t.decoding.history import History

PROMPT = jnp.array([[0, 4, 5], [7, 8, 9]])
SEGMENTS = jnp.array([[0, 1, 1], [1, 1, 1]])


def test_begins_with_the_prompt_and_room_for_what_follows():
    history = History.begin(PROMPT, SEGMENTS, 2)
    np.testing.assert_array_equal(history.tokens, [[0, 4, 5, 0, 0], [7, 8, 9, 0, 0]])
    np.testing.assert_array_equal(history.seen, [[0, 1, 1, 0, 0], [1, 1, 1, 0, 0]])
    assert (history.column, history.step) == (3, 0)
    assert (history.tokens.dtype, history.seen.dtype) == (np.int32, bool)
    np.testing.assert_array_equal(history.last, [5, 9])
    np.testing.assert_array_equal(history.generated(2), np.zeros((2, 2)))


def test_without_segments_all_of_the_prompt_is_seen():
    np.testing.assert_array_equal(History.begin(PROMPT, None, 1).seen, [[1, 1, 1, 0]] * 2)


def test_appends_what_is_real_and_zeros_that_are_not_seen():
    history = History.begin(PROMPT, SEGMENTS, 2).append(jnp.array([3, 6]), jnp.array([True, False]))
    np.testing.assert_array_equal(history.tokens, [[0, 4, 5, 3, 0], [7, 8, 9, 0, 0]])
    np.testing.assert_array_equal(history.seen, [[0, 1, 1, 1, 0], [1, 1, 1, 0, 0]])
    assert (history.column, history.step) == (4, 1)
    np.testing.assert_array_equal(history.last, [3, 0])
    np.testing.assert_array_equal(history.generated(2), [[3, 0], [0, 0]])


def test_repeated_rows_are_neighbours():
    history = History.begin(PROMPT, SEGMENTS, 1).repeat(2)
    np.testing.assert_array_equal(history.tokens[:, 1], [4, 4, 8, 8])
    np.testing.assert_array_equal(history.seen[:, 0], [0, 0, 1, 1])
    assert history.column == 3


def test_hypotheses_follow_the_rows_that_they_come_from():
    history = History.begin(PROMPT, SEGMENTS, 1).repeat(2)
    followed = history.follow(jnp.array([[1, 0], [3, 2]]), jnp.array([[11, 12], [13, 14]]))
    np.testing.assert_array_equal(followed.last, [11, 12, 13, 14])
    np.testing.assert_array_equal(followed.tokens[:, 1], [4, 4, 8, 8])
    assert followed.seen[:, -1].all()
    real = jnp.array([[True, False], [True, True]])
    followed = history.follow(jnp.array([[0, 2], [2, 0]]), jnp.array([[11, 12], [13, 14]]), real)
    np.testing.assert_array_equal(followed.last, [11, 0, 13, 14])
    np.testing.assert_array_equal(followed.tokens[:, 1], [4, 8, 8, 4])
    np.testing.assert_array_equal(followed.seen[:, -1], [1, 0, 1, 1])
