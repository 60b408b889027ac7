import jax.numpy as jnp
import numpy as np
import pytest

from t2t.decoding.processors.allowed import AllowedTokens, BlockedTokens, check_some_allowed
from t2t.decoding.processors.lengths import MinLength
from t2t.decoding.processors.ngrams import NoRepeatNGrams
from t2t.decoding.processors.repetition import RepetitionPenalty
from t2t.errors import UserError
from tests.decoding.histories import random_history, random_logits


def test_allowed_and_blocked_tokens_share_the_vocabulary():
    logits, given = random_logits(1), random_history(1)
    allowed = np.asarray(AllowedTokens((5, 0, 2))(logits, given))
    blocked = np.asarray(BlockedTokens((5, 0, 2))(logits, given))
    kept = [0, 2, 5]
    np.testing.assert_array_equal(allowed[:, kept], logits[:, jnp.array(kept)])
    assert np.isneginf(np.delete(allowed, kept, axis=1)).all()
    assert np.isneginf(blocked[:, kept]).all()
    np.testing.assert_array_equal(np.maximum(allowed, blocked), logits)


@pytest.mark.parametrize("kind", [AllowedTokens, BlockedTokens])
def test_equal_ids_make_equal_processors(kind):
    assert kind([3, 1, 3]) == kind(np.array([1, 3]))
    assert hash(kind((3, 1))) == hash(kind((1, 3)))
    assert kind((1,)) != kind((3,))


@pytest.mark.parametrize("kind", [AllowedTokens, BlockedTokens])
def test_ids_are_tokens(kind):
    with pytest.raises(UserError, match=rf"{kind.__name__}.ids is empty"):
        kind(())
    with pytest.raises(UserError, match=rf"{kind.__name__}.ids: -1 is no token"):
        kind((4, -1))
    with pytest.raises(UserError, match=rf"{kind.__name__}.ids: 7 is no token; .* has 7"):
        kind((0, 7))(random_logits(0), random_history(0))


def forbid_all(logits, history):
    return jnp.full_like(logits, -jnp.inf)


@pytest.mark.parametrize(
    ("processors", "names"),
    [
        (
            (AllowedTokens((1,)), BlockedTokens((1,))),
            "AllowedTokens and BlockedTokens forbid every",
        ),
        ((MinLength(2, 1), AllowedTokens((1,))), "MinLength and AllowedTokens forbid every"),
        ((BlockedTokens(tuple(range(7))),), "BlockedTokens forbids every one of the 7 tokens"),
        ((MinLength(2, 1), forbid_all, AllowedTokens((1,))), "MinLength and forbid_all forbid"),
    ],
)
def test_processors_that_forbid_everything_are_refused(processors, names):
    with pytest.raises(UserError, match=names):
        check_some_allowed(processors, 7)


def test_processors_that_allow_something_pass():
    check_some_allowed((), 7)
    all_of_them = (
        RepetitionPenalty(1.2),
        NoRepeatNGrams(1),
        NoRepeatNGrams(5),
        AllowedTokens((1, 2)),
        BlockedTokens((2,)),
        MinLength(0, 1),
    )
    check_some_allowed(all_of_them, 7)
    with pytest.raises(UserError, match=r"BlockedTokens.ids: 6 is no token"):
        check_some_allowed((BlockedTokens((6,)),), 6)
