"""Contexts and continuations as tokens, for every kind of model."""

import numpy as np
import pytest

from t2t.data.features import Feature, FramedFeature
from t2t.data.vocabularies import ByteVocabulary
from t2t.errors import UserError
from t2t.lm_eval.texts import Texts
from tests.commands.imported import LLAMA
from tests.interop.t5_models import tiny

BYTES = ByteVocabulary(extra_ids=125)
A, B, C = BYTES.encode("abc")
T5 = tiny(vocab_size=384)
LINE = {"targets": Feature(BYTES, add_eos=False)}
PAIR = {"inputs": Feature(BYTES), "targets": Feature(BYTES)}
FRAMED = {"targets": FramedFeature(BYTES, before=(7,))}


def listed(alternatives):
    return [
        (item.first, item.inputs.tolist(), [t.tolist() for t in item.targets])
        for item in alternatives
    ]


@pytest.mark.parametrize(
    ("config", "features", "read", "whole"),
    [
        (T5, PAIR, [A, B, 1], [A, B, 1]),
        (LLAMA, LINE, [0, A, B], [A, B]),
        (LLAMA, PAIR, [0, A, B, 1], [A, B]),
        (LLAMA, FRAMED, [7, A, B], [7, A, B]),
    ],
    ids=["t5", "language model", "decoder of pairs", "imported"],
)
def test_what_is_read_and_said(config, features, read, whole):
    texts = Texts(config, features)
    assert (texts.read("ab"), texts.said("ab"), texts.whole("ab")) == (read, [A, B], whole)
    assert texts.joined == ("inputs" not in features)
    assert texts.start == (1 if config is T5 else 0)
    assert texts.max_length == 2048


def test_a_context_that_is_too_long_loses_its_beginning():
    encoder, decoder = Texts(T5, PAIR, 3), Texts(LLAMA, LINE, 3)
    context, said = [0, A, B, C], [[A], [B, C, A]]
    assert listed(encoder.alternatives(context, said)) == [(None, [A, B, C], [[A], [B, C, A]])]
    assert listed(decoder.alternatives(context, said)) == [
        (A, [B, C], [[A]]),
        (C, [], [[B, C, A]]),
    ]
    assert listed(decoder.alternatives([0], [[A]])) == [(0, [], [[A]])]
    with pytest.raises(UserError, match="has 4 tokens, but the model reads at most 3"):
        decoder.alternatives([0], [[A, A, A, A]])


def test_prompts_leave_room_for_new_tokens():
    prompt = Texts(LLAMA, LINE, 4).prompt([0, A, B, C], 2)
    assert prompt.decoder["input_tokens"].tolist() == [B, C]
    assert prompt.decoder["causal_attention"].tolist() == [1, 0]
    prompt = Texts(LLAMA, PAIR, 9).prompt([0, A, 1], 2)
    assert prompt.decoder["causal_attention"].tolist() == [1, 1, 1]
    prompt = Texts(T5, PAIR, 3).prompt([A, B, C, 1], 200)
    np.testing.assert_array_equal(prompt.encoder, [B, C, 1])
    with pytest.raises(UserError, match="max_gen_toks is 4, but the model reads 4 tokens"):
        Texts(LLAMA, LINE, 4).prompt([0], 4)


def test_more_than_there_are_positions_is_refused():
    with pytest.raises(UserError, match="max_length is 0; it must be at least 1"):
        Texts(LLAMA, LINE, 0)
