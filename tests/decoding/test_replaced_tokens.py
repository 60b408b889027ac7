import functools

import jax
import numpy as np
import pytest

from t2t.data.features import Feature
from t2t.decoding.reading import InputLimit
from t2t.decoding.replaced_tokens import ReplacedTokenDetector
from t2t.errors import UserError
from t2t.models.definition import Model
from t2t.models.electra import Electra
from t2t.models.encoder_only import EncoderOnly
from t2t.models.heads import LMHead, TokenClasses
from t2t.models.positions import LearnedPositions
from tests.decoding.numbers import VOCAB, Numbers, random_params, stack

VOCABULARY = Numbers(
    3, mask_token="<extra_id_0>", cls_token="<extra_id_1>", sep_token="<extra_id_2>"
)
MASK, CLS, SEP = VOCABULARY.mask_id, VOCABULARY.cls_id, VOCABULARY.sep_id
INPUTS = Feature(VOCABULARY, add_eos=False)
STACK = stack(num_layers=1, positions=LearnedPositions(24))
DISCRIMINATOR = EncoderOnly(VOCAB + 3, STACK, heads=(TokenClasses(1),))
ELECTRA = Electra(
    EncoderOnly(VOCAB + 3, STACK, heads=(LMHead(tied=False, bias=True),)), DISCRIMINATOR
)
TEXTS = [
    "5 [MASK] 6 7",
    "3 4 5 6",
    "<extra_id_0> 9 [MASK]",
    "3 4 5 6 7 8 9 10 11 12 [MASK] 14 15 16 17 18",
]


def make(params=None, config=ELECTRA, batch_size=4, limit=None):
    limit = limit or InputLimit()
    params = drawn() if params is None else params
    return ReplacedTokenDetector(Model(config), params, INPUTS, limit=limit, batch_size=batch_size)


def drawn():
    """At random, but for what would make all answers alike or special tokens."""
    params = random_params(ELECTRA)
    bias = params["generator"]["lm_head"]["bias"]
    bias[:3] = bias[VOCAB:] = -100
    params["discriminator"]["token_head"]["out"]["bias"][:] = -1.6  # so that it says both
    return params


def hand_set():
    """The generator always says 9; 7 and 9 are replaced with probability 3 / 4, others 1 / 4."""
    params = jax.tree.map(np.zeros_like, random_params(ELECTRA))
    params["generator"]["lm_head"]["bias"][9] = 1
    discriminator = params["discriminator"]
    discriminator["encoder"]["final_norm"]["scale"][:] = 1
    table = discriminator["token_embedder"]["embedding"]
    table[:, 0] = -1
    table[[7, 9], 0] = 1
    # Normalised by RMS, the first of 8 numbers is the square root of 8, or minus it.
    discriminator["token_head"]["out"]["kernel"][0, 0] = np.log(3) / np.sqrt(8)
    return params


def test_a_known_answer():
    detector = make(hand_set())
    found = [prediction for (prediction,) in detector.predict(["4 [MASK] 7 5", "7 4 9", "5 6"])]
    assert [one.text for one in found] == ["4 [9 7] 5", "[7] 4 [9]", "5 6"]
    likely = pytest.approx(0.75, abs=1e-5)
    assert found[0].details == {"fills": ["9"], "replaced": [["9", likely], ["7", likely]]}
    assert found[1].details == {"fills": [], "replaced": [["7", likely], ["9", likely]]}
    assert found[2].details == {"fills": [], "replaced": []}
    assert found[0].score == pytest.approx(2 * np.log(1 / 4) + 2 * np.log(3 / 4), abs=1e-5)
    assert found[2].score == pytest.approx(2 * np.log(3 / 4), abs=1e-5)
    assert detector.throughput.records == 3
    assert detector.throughput.tokens == 6 + 5 + 4
    assert detector.throughput.compilations == 1


@functools.cache
def expected(text):
    """Filled tokens and probabilities from forward passes of one row without padding."""
    module = Model(ELECTRA).bind(drawn())
    words = [MASK if word in ("[MASK]", "<extra_id_0>") else int(word) for word in text.split()]
    row = np.array([[CLS, *words, SEP]], np.int32)
    said = np.asarray(module.generator({"encoder_input_tokens": row})).argmax(-1)
    filled = np.where(row == MASK, said, row)
    logits = module.outputs({"encoder_input_tokens": filled}, "token_head")
    probabilities = 1 / (1 + np.exp(-np.asarray(logits, np.float64)))
    return row[0, 1:-1] == MASK, filled[0, 1:-1], probabilities[0, 1:-1, 0]


@pytest.mark.parametrize("batch_size", [2, 4])
def test_what_both_parts_say_does_not_depend_on_the_batch(batch_size):
    seen = set()
    for text, (found,) in zip(TEXTS, make(batch_size=batch_size).predict(TEXTS), strict=True):
        masked, filled, likely = expected(text)
        replaced = likely > 0.5
        assert found.details["fills"] == [str(token) for token in filled[masked]]
        assert [token for token, _ in found.details["replaced"]] == list(map(str, filled[replaced]))
        np.testing.assert_allclose(
            [value for _, value in found.details["replaced"]], likely[replaced], atol=1e-4
        )
        assert found.score == pytest.approx(np.log1p(-likely).sum(), rel=1e-3)
        assert found.text.replace("[", "").replace("]", "").split() == list(map(str, filled))
        seen |= set(replaced.tolist())
    assert seen == {True, False}


def test_a_discriminator_alone_reads_whole_texts():
    params = hand_set()["discriminator"]
    detector = make(params, DISCRIMINATOR)
    ((found,),) = detector.predict(["7 4 9"])
    assert found.text == "[7] 4 [9]"
    assert list(found.details) == ["replaced"]
    with pytest.raises(UserError, match=r"Record 2 has a \[MASK\], but .* without the generator"):
        list(detector.predict(["3", "[MASK] 4"]))
    without = Feature(Numbers(3), add_eos=False)
    ((found,),) = ReplacedTokenDetector(Model(DISCRIMINATOR), params, without).predict(["7 4 9"])
    assert found.text == "[7] 4 [9]"


def test_texts_that_are_too_long_are_named_or_cut():
    long = "7 4 " * 12
    with pytest.raises(UserError, match=r"Record 2 has inputs of 26 tokens.* 24 positions"):
        list(make(hand_set()).predict(["4", long]))
    ((found,),) = make(hand_set(), limit=InputLimit(6, truncate=True)).predict([long])
    assert found.text == "[7] 4 [7] 4"


def test_a_prefix_is_refused():
    with pytest.raises(UserError, match=r"Record 1 has a prefix, but replaced tokens are found"):
        list(make(hand_set()).predict([{"inputs": "4", "prefix": "3"}]))


def test_what_cannot_detect():
    bert = EncoderOnly(VOCAB + 3, STACK, heads=(LMHead(), TokenClasses(2)))
    with pytest.raises(UserError, match="found by Electra, or by an encoder with TokenClasses"):
        make({}, bert)
    with pytest.raises(UserError, match="Filling blanks needs the mask_id of a vocabulary"):
        ReplacedTokenDetector(Model(ELECTRA), {}, Feature(Numbers(3), add_eos=False))
    with pytest.raises(UserError, match="batch_size must be at least 1"):
        make(hand_set(), batch_size=0)
