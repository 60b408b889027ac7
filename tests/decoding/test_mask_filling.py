import dataclasses

import numpy as np
import pytest

from t2t.data.features import Feature
from t2t.decoding.mask_filling import MaskFiller
from t2t.decoding.reading import InputLimit
from t2t.errors import UserError
from t2t.models.definition import Model
from t2t.models.encoder_only import EncoderOnly
from t2t.models.heads import LMHead
from t2t.models.positions import LearnedPositions
from tests.decoding.numbers import VOCAB, Numbers, random_params, stack
from tests.decoding.predicting import GPT

VOCABULARY = Numbers(
    3, mask_token="<extra_id_0>", cls_token="<extra_id_1>", sep_token="<extra_id_2>"
)
MASK, CLS, SEP = VOCABULARY.mask_id, VOCABULARY.cls_id, VOCABULARY.sep_id
INPUTS = Feature(VOCABULARY, add_eos=False)
BERT = EncoderOnly(VOCAB + 3, stack(positions=LearnedPositions(24)), heads=(LMHead(),))
TEXTS = [
    "5 [MASK] 6 7",
    "<extra_id_0> 9 [MASK]",
    "[MASK]",
    "3 4 5 6 7 8 9 10 11 12 [MASK] 14 15 16 17 18",
    "20 [MASK]",
]


def make(batch_size=4, limit=None):
    limit = limit or InputLimit()
    params = random_params(BERT)
    return MaskFiller(Model(BERT), params, INPUTS, limit=limit, batch_size=batch_size)


def expected(text):
    """Text, fills and score from a forward pass of one row without padding."""
    row = [CLS]
    for word in text.split():
        row.append(MASK if word in ("[MASK]", "<extra_id_0>") else int(word))
    batch = {"encoder_input_tokens": np.array([[*row, SEP]], np.int32)}
    logits = np.asarray(Model(BERT).bind(random_params(BERT))(batch), np.float64)[0]
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    places = [i for i, token in enumerate(row) if token == MASK]
    best = {i: int(np.argmax(log_probs[i])) for i in places}
    text = " ".join(str(best.get(i, token)) for i, token in enumerate(row) if i)
    return text, [str(best[i]) for i in places], sum(log_probs[i].max() for i in places)


@pytest.mark.parametrize("batch_size", [2, 5])
def test_every_mask_becomes_the_likeliest_token(batch_size):
    filler = make(batch_size)
    found = list(filler.predict(TEXTS))
    for text, (prediction,) in zip(TEXTS, found, strict=True):
        whole, fills, score = expected(text)
        assert prediction.text == whole
        assert prediction.details == {"fills": fills}
        assert prediction.score == pytest.approx(score, rel=1e-4)
    assert filler.throughput.records == 5
    assert filler.throughput.tokens == 6
    assert filler.throughput.compilations == {2: 2, 5: 1}[batch_size]


def test_texts_without_a_mask_are_named():
    with pytest.raises(UserError, match=r"Record 2 has no \[MASK\].* generates no text"):
        list(make().predict([TEXTS[0], "3 4"]))
    cut = make(limit=InputLimit(4, truncate=True))
    with pytest.raises(UserError, match=r"Record 1 has no \[MASK\]"):
        list(cut.predict(["3 4 [MASK]"]))
    with pytest.raises(UserError, match=r"Record 1 has inputs of 32 tokens.* 24 positions"):
        list(make().predict(["[MASK]" + " 3" * 29]))


def test_a_prefix_is_refused():
    with pytest.raises(UserError, match=r"Record 2 has a prefix, but masked tokens are filled in"):
        list(make().predict([TEXTS[0], {"inputs": TEXTS[1], "prefix": "3"}]))


def test_what_cannot_fill():
    with pytest.raises(UserError, match="encoders alone with an LMHead"):
        MaskFiller(Model(GPT), {}, INPUTS)
    with pytest.raises(UserError, match="Filling blanks needs the mask_id of a vocabulary"):
        MaskFiller(Model(BERT), {}, Feature(Numbers(3), add_eos=False))
    small = dataclasses.replace(BERT, encoder=stack(positions=LearnedPositions(2)))
    message = "the encoder has 2 positions, but 2 special tokens go around a text"
    with pytest.raises(UserError, match=message):
        MaskFiller(Model(small), {}, INPUTS, limit=InputLimit(truncate=True))
    with pytest.raises(UserError, match="batch_size must be at least 1"):
        make(batch_size=0)
