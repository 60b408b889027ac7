import functools

import jax
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.models.attention import Attention
from t2t.models.definition import Model
from t2t.models.embedding import Embedding
from t2t.models.encoder_only import EncoderOnly
from t2t.models.feed_forward import FeedForward
from t2t.models.heads import HeadTransform, LMHead, SequenceClasses, Spans, TokenClasses
from t2t.models.norms import LayerNorm
from t2t.models.positions import LearnedPositions
from t2t.models.residual import PostNorm
from t2t.models.stack import Stack
from tests.models.computing import V1_1, params_of

STACK = Stack(
    num_layers=2,
    d_model=16,
    attention=Attention(2, 8, bias=True, out_bias=True),
    feed_forward=FeedForward(24, ("gelu_exact",), bias=True),
    norm=LayerNorm(),
    positions=LearnedPositions(16),
    placement=PostNorm(),
    embedding=Embedding(size=8, norm=LayerNorm(), token_types=2),
    final_norm=False,
)
MASKED = LMHead(bias=True, transform=HeadTransform("gelu_exact", LayerNorm(), 8))
CONFIG = EncoderOnly(40, STACK, (MASKED, SequenceClasses(5), TokenClasses(3), Spans()))
TOKENS = np.array([[3, 4, 5, 0, 0, 0], [4, 5, 6, 7, 8, 9]], np.int32)
BATCH = {"encoder_input_tokens": TOKENS}


@functools.cache
def output_of(name):
    model = Model(CONFIG)
    run = jax.jit(lambda params, batch: model.bind(params).outputs(batch, name))
    return lambda batch: np.asarray(run(params_of(CONFIG), batch))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("lm_head", (2, 6, 40)),
        ("sequence_head", (2, 5)),
        ("token_head", (2, 6, 3)),
        ("span_head", (2, 6, 2)),
    ],
)
def test_heads_see_all_real_tokens_and_no_padding(name, shape):
    before = output_of(name)(BATCH)
    assert before.shape == shape
    assert before.dtype == np.float32
    other = TOKENS.copy()
    other[1, 5] = 30  # read in both directions
    assert (
        (np.abs(output_of(name)({"encoder_input_tokens": other}) - before)[1] > 1e-6).any(-1).all()
    )
    shorter = output_of(name)({"encoder_input_tokens": TOKENS[:1, :3]})
    np.testing.assert_allclose(
        before[:1] if before.ndim == 2 else before[:1, :3], shorter, rtol=1e-4, atol=1e-5
    )


def test_calling_gives_the_masked_language_models_logits():
    model = Model(CONFIG)
    logits = jax.jit(lambda params: model.bind(params)(BATCH))(params_of(CONFIG))
    np.testing.assert_allclose(logits, output_of("lm_head")(BATCH), rtol=1e-5, atol=1e-5)
    assert model.head_names == ("token_embedder", "lm_head")


@pytest.mark.parametrize(("heads", "listed"), [((), "none"), ((Spans(),), "span_head")])
def test_missing_heads_are_named(heads, listed):
    config = EncoderOnly(40, STACK, heads)
    assert Model(config).head_names == ()
    module = Model(config).bind(params_of(config))
    with pytest.raises(UserError, match=f"no LMHead; its heads are: {listed}"):
        module.logits(np.zeros((1, 16), np.float32))
    with pytest.raises(UserError, match=f"no 'span_heat'; its heads are: {listed}"):
        module.outputs(BATCH, "span_heat")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, STACK), r"EncoderOnly\.vocab_size must be at least 1"),
        ((40, V1_1.decoder), r"EncoderOnly\.encoder has cross-attention"),
        ((40, STACK, (Spans(), Spans())), "two of a kind: span_head, span_head"),
        ((40, STACK, (LMHead(),)), r"LMHead\.tied .*size 8 \(Embedding\.size\).*Stack\.d_model"),
    ],
)
def test_impossible_combinations_are_named(arguments, message):
    with pytest.raises(UserError, match=message):
        EncoderOnly(*arguments)
