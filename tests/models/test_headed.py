"""Heads on every architecture: what they read, and that they change nothing else."""

import dataclasses

import jax
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.models.attention import Attention
from t2t.models.config import SpecialTokens
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import Model
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.models.feed_forward import FeedForward
from t2t.models.heads import LMHead, SequenceClasses, Spans, TokenClasses
from t2t.models.positions import RoPE
from t2t.models.stack import Stack

STACK = Stack(1, 8, Attention(2, 4), FeedForward(12), positions=RoPE())
CROSS = dataclasses.replace(STACK, cross_attention=Attention(2, 4))
HEADS = (SequenceClasses(3, position="last"), TokenClasses(5), Spans())
TOKENS = np.array([[5, 6, 7, 1, 0, 0], [8, 9, 5, 6, 7, 1]], np.int32)
SHIFTED = np.concatenate([np.zeros((2, 1), np.int32), TOKENS[:, :-1]], axis=1)
CONFIGS = {
    "encoder-decoder": EncoderDecoder(12, STACK, CROSS, heads=HEADS),
    "decoder-only": DecoderOnly(12, STACK, LMHead(tied=False), heads=HEADS),
}
BATCHES = {
    "encoder-decoder": {"encoder_input_tokens": TOKENS, "decoder_input_tokens": SHIFTED},
    "decoder-only": {"decoder_input_tokens": TOKENS},
}


@pytest.fixture(params=CONFIGS)
def made(request):
    model = Model(CONFIGS[request.param])
    return model, model.init(jax.random.key(0)), BATCHES[request.param]


def test_what_each_head_reads(made):
    model, params, batch = made
    module = model.bind(params)
    hidden = np.asarray(module.hidden(batch), np.float64)
    params = jax.tree.map(np.asarray, params)
    dense, out = params["sequence_head"]["dense"], params["sequence_head"]["out"]
    last = hidden[[0, 1], [3, 5]]  # the ends of sequence, not the padding
    pooled = np.tanh(last @ dense["kernel"] + dense["bias"])
    expected = pooled @ out["kernel"] + out["bias"]
    np.testing.assert_allclose(module.outputs(batch, "sequence_head"), expected, atol=1e-5)
    for name, classes in (("token_head", 5), ("span_head", 2)):
        out = params[name]["out"]
        logits = module.outputs(batch, name)
        assert logits.shape == (2, 6, classes)
        np.testing.assert_allclose(logits, hidden @ out["kernel"] + out["bias"], atol=1e-5)


def test_padding_does_not_matter(made):
    model, params, batch = made
    short = {name: x[:1, :4] for name, x in batch.items()}
    for name in ("sequence_head", "token_head"):
        whole = model.bind(params).outputs(batch, name)[:1]
        alone = model.bind(params).outputs(short, name)
        if name == "token_head":
            whole = whole[:, :4]
        np.testing.assert_allclose(whole, alone, atol=1e-5)


def test_a_decoder_without_an_id_of_padding_is_told(made):
    model, params, batch = made
    if isinstance(model.config, EncoderDecoder):
        pytest.skip("the mark is the encoder's there")
    tokens = SpecialTokens(pad=None)
    unpadded = Model(dataclasses.replace(model.config, tokens=tokens)).bind(params)
    marked = {**batch, "decoder_segment_ids": (TOKENS != 0).astype(np.int32)}
    expected = model.bind(params).outputs(batch, "sequence_head")
    found = unpadded.outputs(marked, "sequence_head")
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_rest_of_the_model_begins_as_without_heads(made):
    model, params, _ = made
    plain = Model(dataclasses.replace(model.config, heads=())).init(jax.random.key(0))
    assert plain.keys() == params.keys() - {head.name for head in HEADS}
    assert jax.tree.all(jax.tree.map(np.array_equal, plain, {k: params[k] for k in plain}))


def test_a_head_that_is_not_there_or_there_twice(made):
    model, params, batch = made
    config = dataclasses.replace(model.config, heads=HEADS[:1])
    with pytest.raises(UserError, match="has no 'token_head'; its heads are: sequence_head"):
        Model(config).bind({k: params[k] for k in Model(config).abstract_params}).outputs(
            batch, "token_head"
        )
    with pytest.raises(UserError, match="heads has two of a kind: span_head, span_head"):
        dataclasses.replace(model.config, heads=(Spans(), Spans()))
