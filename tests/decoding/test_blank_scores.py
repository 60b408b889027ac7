"""Likelihoods of what fills a blank."""

import functools

import jax
import numpy as np
import pytest

from t2t.data.features import Feature
from t2t.data.objectives.glm import GlmBlankInfilling
from t2t.decoding.scorer import Scorer
from t2t.errors import UserError
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import Model
from t2t.models.positions import TwoDimensionalPositions
from tests.decoding.numbers import VOCAB, Numbers, random_params, stack

FEATURES = dict.fromkeys(("inputs", "targets"), Feature(Numbers(), add_eos=False))
GLM = DecoderOnly(VOCAB, stack(positions=TwoDimensionalPositions(20, 8)))
MASK, START, END = 23, 22, 21
BLANKS = GlmBlankInfilling(mask_id=MASK, start_id=START, end_id=END)


def fills(batch_size=4):
    """A scorer of what fills blanks."""
    return Scorer(
        Model(GLM), random_params(GLM), FEATURES, objectives=[BLANKS], batch_size=batch_size
    )


@functools.cache
def forward():
    model = Model(GLM)
    return jax.jit(lambda p, batch: jax.nn.log_softmax(model.bind(p)(batch)))


def filled(text, target):
    """Log-probabilities of one fill, laid out as the objectives say, without padding."""
    text, target = Numbers().encode(text), Numbers().encode(target)
    batch = {
        "input_tokens": [*text, START, *target],
        "positions": [*range(len(text)), *[text.index(MASK)] * (len(target) + 1)],
        "block_positions": [0] * len(text) + list(range(1, len(target) + 2)),
        "prefix_mask": [1] * len(text) + [0] * (len(target) + 1),
    }
    rows = {f"decoder_{name}": np.array([values]) for name, values in batch.items()}
    found = np.asarray(forward()(random_params(GLM), rows))[0, len(text) :]
    return found[np.arange(len(target) + 1), [*target, END]]


@pytest.mark.parametrize("batch_size", [1, 4])
def test_what_fills_a_blank(batch_size):
    pairs = [
        ("4 23 5", "6 7"),
        ("23 4 5", "6 7"),
        (" ".join(["5"] * 19) + " 23", "8"),
        ("4 23 5", ""),
    ]
    pairs *= 2
    given = [{"inputs": text, "targets": target} for text, target in pairs]
    scored = list(fills(batch_size).score(given))
    for one, pair in zip(scored, pairs, strict=True):
        np.testing.assert_allclose(one.log_probs, filled(*pair), atol=1e-4)
    assert scored[0].tokens.tolist() == [6, 7, END]


def test_blanks_are_ranked_and_checked():
    (ranking,) = fills().rank([{"inputs": "4 5", "candidates": ["6 7", "8"]}])
    expected = [filled("4 5 23", target).sum() for target in ("6 7", "8")]
    np.testing.assert_allclose(ranking.scores, expected, atol=1e-4)
    for record, message in [
        ({"inputs": "23 4 23", "targets": "5"}, "Record 1: the inputs have 2 blanks"),
        ({"inputs": "23" + " 4" * 20, "targets": "5"}, "inputs are 21 tokens, .* positions for 20"),
        ({"inputs": "23", "targets": "5 " * 7}, "targets are 8 tokens, .* positions for 7"),
    ]:
        with pytest.raises(UserError, match=message):
            list(fills().score([record]))
