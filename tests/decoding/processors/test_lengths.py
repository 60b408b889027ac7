import jax
import numpy as np
import pytest

from t2t.decoding.processors.lengths import MinLength
from t2t.errors import UserError
from tests.decoding.histories import history, random_logits


@pytest.mark.parametrize(("generated", "forbidden"), [(0, True), (2, True), (3, False), (9, False)])
def test_the_end_waits_for_n_tokens_after_the_prompt(generated, forbidden):
    logits = random_logits(2)
    tokens = np.zeros((5, 4 + generated), np.int32)
    result = np.asarray(jax.jit(MinLength(3, eos=1))(logits, history(tokens, prompt=4)))
    others = [0, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal(result[:, others], np.asarray(logits)[:, others])
    if forbidden:
        assert np.isneginf(result[:, 1]).all()
    else:
        np.testing.assert_array_equal(result[:, 1], logits[:, 1])


def test_settings_are_checked():
    with pytest.raises(UserError, match=r"MinLength.n must be 0 or more, got -1"):
        MinLength(-1, 1)
    with pytest.raises(UserError, match=r"MinLength.eos must be 0 or more, got -2"):
        MinLength(1, -2)
    with pytest.raises(UserError, match=r"MinLength.eos: 7 is no token; .* has 7"):
        MinLength(1, 7)(random_logits(0), history([[1]] * 5, prompt=1))
