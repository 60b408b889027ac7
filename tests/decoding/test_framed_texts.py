"""Decoders alone that read texts as an imported tokenizer frames them."""

import dataclasses

import numpy as np
import pytest

from t2t.data.features import Feature, FramedFeature
from t2t.decoding.embedder import Embedder
from t2t.decoding.scorer import Scorer
from t2t.models.definition import Model
from tests.decoding.numbers import Numbers
from tests.decoding.predicting import GPT, params_of

RECORDS = [{"inputs": "3 4 5", "targets": "6 7"}, {"targets": "8 9 10"}]
PARAMS = params_of(GPT)


def framed(*before, after=()):
    return FramedFeature(Numbers(), before=before, after=after)


def scores(feature, start=0):
    tokens = dataclasses.replace(GPT.tokens, start=start)
    model = Model(dataclasses.replace(GPT, tokens=tokens))
    scorer = Scorer(model, PARAMS, {"targets": feature}, batch_size=4)
    return [scored.log_probs for scored in scorer.score(RECORDS)]


def test_a_frame_that_is_the_start_token_alone_scores_as_that():
    expected = scores(Feature(Numbers(), add_eos=False), start=20)
    for one, other in zip(scores(framed(20)), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_scores_without_a_start_token():
    hidden = Model(GPT).bind(PARAMS)
    rows = np.array([[21, 3, 4, 5, 6, 7, 22], [21, 8, 9, 10, 22, 0, 0]], np.int32)
    logits = np.asarray(hidden({"decoder_input_tokens": rows}), np.float64)
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    with_inputs, alone = scores(framed(21, after=(22,)))
    np.testing.assert_allclose(
        with_inputs, [log_probs[0, i, rows[0, i + 1]] for i in (3, 4, 5)], rtol=1e-4
    )
    np.testing.assert_allclose(
        alone, [log_probs[1, i, rows[1, i + 1]] for i in range(4)], rtol=1e-4
    )


@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_all_that_is_read_is_pooled(pooling):
    embedder = Embedder(Model(GPT), PARAMS, framed(21, after=(22,)), pooling)
    (found,) = embedder.embed(["3 4"])
    assert found.tokens.tolist() == [21, 3, 4, 22]
    row = np.array([found.tokens])
    hidden = np.asarray(Model(GPT).bind(PARAMS).hidden({"decoder_input_tokens": row}))[0]
    expected = hidden.mean(axis=0) if pooling == "mean" else hidden[-1]
    np.testing.assert_allclose(found.vectors, expected, rtol=1e-4, atol=1e-5)
