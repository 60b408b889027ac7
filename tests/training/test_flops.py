"""Analytic operation counts against a hand formula, the compiler, and published figures."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest

from t2t.models.attention import Attention
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import Model
from t2t.models.electra import Electra
from t2t.models.embedding import Embedding
from t2t.models.encoder_decoder import EncoderDecoder, SourceEncoder
from t2t.models.encoder_only import EncoderOnly
from t2t.models.feed_forward import FeedForward
from t2t.models.heads import HeadTransform, LMHead, TokenClasses
from t2t.models.norms import RMSNorm
from t2t.models.presets import t5
from t2t.models.stack import Stack
from t2t.training.flops import forward_flops, stack_flops, train_flops
from t2t.training.losses.predicted_positions import room


def _config(**changes) -> EncoderDecoder:
    small = {
        "vocab_size": 512,
        "d_model": 256,
        "d_ff": 512,
        "num_heads": 4,
        "head_dim": 64,
        "num_encoder_layers": 1,
        "num_decoder_layers": 1,
    }
    return t5(**(small | changes))


def test_equals_a_hand_formula():
    # Encoder 2 layers, decoder 3; d_model 4, inner 2 x 3 = 6, d_ff 5, relu; 7 inputs, 2 targets.
    config = _config(
        vocab_size=11,
        d_model=4,
        d_ff=5,
        num_heads=2,
        head_dim=3,
        num_encoder_layers=2,
        num_decoder_layers=3,
        activations=("relu",),
    )
    encoder = 2 * (4 * 7 * 4 * 6 + 2 * 7 * 7 * 6 + 2 * 7 * 4 * 5)
    decoder_self = 4 * 2 * 4 * 6 + 2 * 2 * 2 * 6
    decoder_cross = 2 * 2 * 4 * 6 + 2 * 7 * 4 * 6 + 2 * 2 * 7 * 6
    decoder = 3 * (decoder_self + decoder_cross + 2 * 2 * 4 * 5)
    logits = 2 * 4 * 11
    assert forward_flops(config, 7, 2) == 2 * (encoder + decoder + logits)


def test_a_grouped_decoder_alone_equals_a_hand_formula():
    # 2 layers, d_model 4, 4 query heads of 3 for 2 of keys and values, gated d_ff 5; 7 + 2 tokens.
    attention = Attention(4, 3, num_kv_heads=2)
    config = DecoderOnly(11, Stack(2, 4, attention, FeedForward(5)))
    layer = 2 * 9 * 4 * 12 + 2 * 9 * 4 * 6 + 2 * 9 * 9 * 12 + 3 * 9 * 4 * 5
    assert forward_flops(config, 7, 2) == 2 * (2 * layer + 9 * 4 * 11)


def test_an_encoder_alone_equals_a_hand_formula():
    # Token vectors of 3, projected to 4; a head that goes back to 3 before the table.
    stack = Stack(2, 4, Attention(2, 2), FeedForward(5, ("relu",)), embedding=Embedding(size=3))
    layer = 4 * 7 * 4 * 4 + 2 * 7 * 7 * 4 + 2 * 7 * 4 * 5
    encoder = 7 * 3 * 4 + 2 * layer
    assert forward_flops(EncoderOnly(11, stack), 7, 0) == 2 * encoder
    head = LMHead(transform=HeadTransform("relu", RMSNorm(), 3))
    logits = 2 * 4 * 3 + 2 * 3 * 11  # a fifth of 7 tokens
    assert forward_flops(EncoderOnly(11, stack, (head,)), 7, 0) == 2 * (encoder + logits)


def test_merged_attention_equals_a_hand_formula():
    # Keys and values of the encoder are projected once more, and both lengths are attended to.
    attention = Attention(2, 3)
    stack = Stack(1, 4, attention, FeedForward(5, ("relu",)))
    config = EncoderDecoder(11, stack, dataclasses.replace(stack, merged_attention=True))
    encoder = 4 * 7 * 4 * 6 + 2 * 7 * 7 * 6 + 2 * 7 * 4 * 5
    decoder = 4 * 2 * 4 * 6 + 2 * 7 * 4 * 6 + 2 * 2 * 9 * 6 + 2 * 2 * 4 * 5
    assert forward_flops(config, 7, 2) == 2 * (encoder + decoder + 2 * 4 * 11)


def test_an_encoder_in_front_of_the_encoder_counts():
    stack = Stack(1, 4, Attention(2, 2), FeedForward(5, ("relu",)))
    decoder = dataclasses.replace(stack, cross_attention=stack.attention)
    plain = EncoderDecoder(11, stack, decoder)
    both = dataclasses.replace(plain, source_encoder=SourceEncoder(17, stack))
    assert forward_flops(both, 7, 2) == forward_flops(plain, 7, 2) + stack_flops(stack, 7)


@pytest.mark.parametrize("architecture", [DecoderOnly, EncoderOnly])
def test_equals_the_compiler_for_one_stack(architecture):
    heads = LMHead() if architecture is DecoderOnly else (LMHead(),)
    config = architecture(512, _config().encoder, heads)
    model, side = Model(config), config.loss_side
    batch = {f"{side}_input_tokens": jax.ShapeDtypeStruct((2, 64), jnp.int32)}
    projected = room(64) if architecture is EncoderOnly else 64

    @jax.jit
    def forward(params, batch):
        module = model.bind(params)
        return module.logits(module.hidden(batch)[:, :projected])

    cost = forward.lower(model.abstract_params, batch).compile().cost_analysis()
    assert cost["flops"] == pytest.approx(2 * forward_flops(config, 64, 0), rel=0.03)


def test_both_parts_of_an_electra_count():
    generator = EncoderOnly(512, _config().encoder, (LMHead(),))
    discriminator = EncoderOnly(512, _config().encoder, (TokenClasses(1),))
    parts = forward_flops(generator, 64, 0) + forward_flops(discriminator, 64, 0)
    assert forward_flops(Electra(generator, discriminator), 64, 0) == parts


def test_a_step_is_three_forward_passes_per_row():
    config = _config()
    assert train_flops(config, 32, 16, batch_size=5) == 15 * forward_flops(config, 32, 16)


@pytest.mark.parametrize("activations", [("relu",), ("gelu_tanh", "linear")])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("lengths", [(64, 64), (128, 32)])
def test_equals_the_compiler_for_one_layer(activations, tied, lengths):
    # One layer, for the compiler counts the body of a scan once. It also counts element-wise
    # operations, so the matrices are large enough to drown them.
    inputs, targets = lengths
    config = _config(activations=activations, tied=tied)
    model = Model(config)
    batch = {
        "encoder_input_tokens": jax.ShapeDtypeStruct((2, inputs), jnp.int32),
        "decoder_input_tokens": jax.ShapeDtypeStruct((2, targets), jnp.int32),
    }
    forward = jax.jit(lambda params, batch: model.bind(params)(batch))
    cost = forward.lower(model.abstract_params, batch).compile().cost_analysis()
    assert cost["flops"] == pytest.approx(2 * forward_flops(config, inputs, targets), rel=0.03)


@pytest.mark.parametrize(
    ("shape", "gflops"),
    [
        ({"d_model": 512, "d_ff": 1024, "num_heads": 6, "num_encoder_layers": 8}, 106.3),
        ({"d_model": 768, "d_ff": 2048, "num_heads": 12, "num_encoder_layers": 12}, 425.9),
        ({"d_model": 1024, "d_ff": 2816, "num_heads": 16, "num_encoder_layers": 24}, 1468),
        ({"d_model": 2048, "d_ff": 5120, "num_heads": 32, "num_encoder_layers": 24}, 5346),
        ({"d_model": 4096, "d_ff": 10240, "num_heads": 64, "num_encoder_layers": 24}, 20900),
    ],
    ids=["small", "base", "large", "xl", "xxl"],
)
def test_published_figures_of_t5_1_1(shape, gflops):
    """Training, per sequence of 512 inputs and 114 targets."""
    config = _config(vocab_size=32128, **shape, num_decoder_layers=shape["num_encoder_layers"])
    assert train_flops(config, 512, 114) / 1e9 == pytest.approx(gflops, rel=0.001)
