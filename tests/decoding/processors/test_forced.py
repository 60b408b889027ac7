import jax.numpy as jnp
import numpy as np
import pytest

from t2t.decoding.processors.forced import ForcedFirst, ForcedLast
from t2t.errors import UserError
from tests.decoding.histories import VOCAB, history, random_logits

LOGITS = random_logits(0, rows=2)
ONLY_4 = np.where(np.arange(VOCAB) == 4, 0.0, -np.inf)[None].repeat(2, axis=0)


def test_the_first_token_after_the_start_alone():
    padded = history([[0, 0, 3], [0, 0, 3]], prompt=3, padding=2)
    np.testing.assert_array_equal(ForcedFirst(4)(LOGITS, padded), ONLY_4)
    later = history([[3, 4], [3, 5]], prompt=1)
    np.testing.assert_array_equal(ForcedFirst(4)(LOGITS, later), LOGITS)


def test_rows_that_were_given_more_than_the_start_are_free():
    mixed = history([[0, 3], [5, 3]], prompt=2)
    mixed = mixed._replace(seen=jnp.array([[False, True], [True, True]]))
    found = ForcedFirst(4)(LOGITS, mixed)
    np.testing.assert_array_equal(found, np.stack([ONLY_4[0], LOGITS[1]]))


@pytest.mark.parametrize("step", [0, 1, 2])
def test_the_token_at_the_greatest_length(step):
    tokens = np.full((2, 1 + step), 3)
    found = ForcedLast(4)(LOGITS, history(tokens, prompt=1, to_come=3 - step))
    np.testing.assert_array_equal(found, ONLY_4 if step == 2 else LOGITS)


@pytest.mark.parametrize("token", [-1, VOCAB])
def test_a_token_that_there_is_not(token):
    with pytest.raises(UserError, match=f"The token {token} cannot be forced"):
        ForcedFirst(token)(LOGITS, history([[3], [3]], prompt=1))
