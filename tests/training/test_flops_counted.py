"""Analytic operation counts against all matrix products in the program that a loss traces to."""

import dataclasses
import math

import jax
import jax.extend
import jax.numpy as jnp
import pytest

from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import Model
from t2t.models.electra import Electra
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.models.encoder_only import EncoderOnly
from t2t.models.heads import HeadTransform, LMHead, TokenClasses
from t2t.models.norms import LayerNorm
from t2t.training.flops import forward_flops
from t2t.training.losses.electra import ElectraLoss
from t2t.training.losses.language_modeling import Loss
from tests.training.labelled import (
    BYTES,
    CROSS,
    HEADS,
    LOSSES,
    STACK,
    decoder,
    encoder,
    encoder_decoder,
)

ROWS, LENGTH, WIDTH = 2, 24, STACK.d_model
MASKED = LMHead(bias=True, transform=HeadTransform("gelu_exact", LayerNorm()))
CLASSIFIERS = {  # operations of a row, which are left out of the analytic counts
    "sentences": 2 * WIDTH * (WIDTH + 2),
    "pairs": 2 * WIDTH * (WIDTH + 2),
    "tags": 2 * LENGTH * WIDTH * 4,
    "spans": 2 * LENGTH * WIDTH * 2,
}


def products(jaxpr):
    """Operations of all matrix products; of branches, the cheapest."""
    total = 0
    for equation in jaxpr.eqns:
        inner = [products(found) for found in programs(equation.params)]
        if equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            shape = equation.invars[0].aval.shape
            size = math.prod(equation.outvars[0].aval.shape)
            total += 2 * size * math.prod(shape[axis] for axis in contracted)
        elif equation.primitive.name == "cond":
            total += min(inner)
        else:
            assert not inner or equation.primitive.name != "while"
            total += sum(inner) * equation.params.get("length", 1)
    return total


def programs(params):
    for value in params.values():
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, jax.extend.core.ClosedJaxpr):
                yield item.jaxpr
            elif isinstance(item, jax.extend.core.Jaxpr):
                yield item


def counted(config, loss, batch):
    """Operations of one row."""
    model = Model(config)

    def totals(params, batch):
        return [term.total for term in loss.terms(model, params, batch, None, None).values()]

    return products(jax.make_jaxpr(totals)(model.abstract_params, batch).jaxpr) // ROWS


def tokens(*names, length=LENGTH, dtype=jnp.int32):
    return {name: jax.ShapeDtypeStruct((ROWS, length), dtype) for name in names}


def labels(side, kind):
    width = LOSSES[kind].labels_per_row or LENGTH
    return tokens(f"{side}_labels", f"{side}_loss_weights", length=width)


def with_words(config):
    """With a head for words that classification does not use."""
    return dataclasses.replace(config, heads=(MASKED, *config.heads))


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("make", [encoder, decoder, encoder_decoder])
def test_classifiers(make, kind):
    config = make(kind)
    config = with_words(config) if make is encoder else config
    batch = labels(config.loss_side, kind) | tokens(f"{config.loss_side}_input_tokens")
    if make is encoder_decoder:
        batch |= tokens("encoder_input_tokens")
    expected = forward_flops(config, LENGTH, 0, predicts_tokens=False) + CLASSIFIERS[kind]
    assert counted(config, LOSSES[kind], batch) == expected


def targets(side, length=LENGTH):
    names = ("input_tokens", "target_tokens", "loss_weights")
    return tokens(*(f"{side}_{name}" for name in names), length=length)


def test_masked_language_models():
    config = EncoderOnly(BYTES.vocab_size, STACK, (MASKED,))
    assert counted(config, Loss(), targets("encoder")) == forward_flops(config, LENGTH, 0)


def test_both_parts_of_an_electra():
    narrow = dataclasses.replace(STACK, num_layers=1)
    generator = EncoderOnly(BYTES.vocab_size, narrow, (MASKED,))
    discriminator = EncoderOnly(BYTES.vocab_size, STACK, (TokenClasses(1),))
    config = Electra(generator, discriminator)
    expected = forward_flops(config, LENGTH, 0) + 2 * LENGTH * WIDTH
    assert counted(config, ElectraLoss(), targets("encoder")) == expected


def test_decoders_that_see_a_prefix():
    config = DecoderOnly(BYTES.vocab_size, STACK)
    batch = targets("decoder") | tokens("decoder_prefix_mask", "decoder_positions")
    assert counted(config, Loss(), batch) == forward_flops(config, 0, LENGTH)


def test_encoder_decoders():
    config = EncoderDecoder(BYTES.vocab_size, STACK, CROSS)
    batch = targets("decoder", 10) | tokens("encoder_input_tokens")
    assert counted(config, Loss(), batch) == forward_flops(config, LENGTH, 10)
