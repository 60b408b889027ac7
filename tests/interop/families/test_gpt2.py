import dataclasses
import functools
import math

import jax
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.interop.families import express, family_of
from t2t.interop.family import HFConfig
from t2t.interop.reading import read_params
from t2t.interop.sources import MemorySource
from t2t.interop.writing import write_tensors
from t2t.models.config import Dropout, SpecialTokens
from t2t.models.definition import Model
from t2t.models.initializers import NormalInit
from t2t.models.norms import LayerNorm
from t2t.models.parameter_paths import flatten, shapes_of, unflatten
from t2t.models.positions import LearnedPositions
from t2t.models.residual import PostNorm, PreNorm

GPT2 = {  # openai-community/gpt2, as it is published
    "model_type": "gpt2",
    "architectures": ["GPT2LMHeadModel"],
    "activation_function": "gelu_new",
    "vocab_size": 50257,
    "n_positions": 1024,
    "n_embd": 768,
    "n_layer": 12,
    "n_head": 12,
    "layer_norm_epsilon": 1e-5,
    "initializer_range": 0.02,
    "embd_pdrop": 0.1,
    "attn_pdrop": 0.1,
    "resid_pdrop": 0.1,
    "bos_token_id": 50256,
    "eos_token_id": 50256,
}
XL = {"n_embd": 1600, "n_layer": 48, "n_head": 25}
TINY = GPT2 | {"vocab_size": 11, "n_positions": 7, "n_embd": 8, "n_layer": 3, "n_head": 2}


def ours(settings):
    return family_of(settings, "config.json").from_hf(HFConfig(settings))


@functools.cache
def made(tied):
    """Configuration, parameters, and their tensors."""
    config = ours(TINY | {"tie_word_embeddings": tied})
    rng = np.random.default_rng(0)
    shapes = shapes_of(Model(config).abstract_params)
    params = {path: rng.normal(size=shape).astype(np.float32) for path, shape in shapes.items()}
    tensors = write_tensors(family_of(TINY, "").table(config), unflatten(params))
    return config, params, tensors


def read(tensors, config):
    family, source = family_of(TINY, ""), MemorySource(tensors)
    assert family.with_tensors(config, source) == config
    table = family.table(config)
    return flatten(read_params(table, source, Model(config).abstract_params))


def assert_same(given, expected):
    assert given.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(given[name], array, err_msg=name)


@pytest.mark.parametrize(
    ("changes", "expected"), [({}, 124_439_808), (XL, 1_557_611_200)], ids=["gpt2", "gpt2-xl"]
)
def test_number_of_parameters_is_that_of_the_released_model(changes, expected):
    leaves = jax.tree.leaves(Model(ours(GPT2 | changes)).abstract_params)
    assert sum(math.prod(leaf.shape) for leaf in leaves) == expected


def test_configuration():
    config = ours(TINY | {"embd_pdrop": 0.2, "attn_pdrop": 0.3, "resid_pdrop": 0.4})
    assert config.tokens == SpecialTokens(pad=None, eos=50256, bos=50256, start=50256)
    assert config.dropout == Dropout(embedding=0.2, attention=0.3, residual=0.4)
    assert config.init == NormalInit(0.02, scaled_residual=True)
    assert config.head.tied
    stack = config.decoder
    assert (stack.placement, stack.final_norm, stack.norm) == (PreNorm(), True, LayerNorm(1e-5))
    assert stack.positions == LearnedPositions(7)
    assert (stack.feed_forward.d_ff, stack.feed_forward.activations) == (32, ("gelu_tanh",))
    assert stack.attention.scale is None


def test_settings_are_written_as_they_were_read():
    settings = TINY | {
        "n_inner": 20,
        "activation_function": "relu",
        "layer_norm_epsilon": 1e-3,
        "initializer_range": 0.03,
        "tie_word_embeddings": False,
        "scale_attn_weights": False,
        "pad_token_id": 3,
        "embd_pdrop": 0.2,
        "resid_pdrop": 0.3,
    }
    _, expressed = express(ours(settings))
    assert {name: expressed[name] for name in settings} == settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architectures": ["GPT2ForSequenceClassification"]}, "whose head is not supported"),
        ({"architectures": ["GPT2DoubleHeadsModel"]}, "only GPT2LMHeadModel and GPT2Model"),
        ({"add_cross_attention": True}, "add_cross_attention = True"),
        ({"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx = True"),
        ({"activation_function": "gelu_neww"}, "Did you mean 'gelu_new'"),
        ({"n_head": 3}, "n_embd = 8, which is not a multiple of n_head = 3"),
    ],
)
def test_what_has_no_place_is_refused(changes, message):
    with pytest.raises(UserError, match=message):
        ours(TINY | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"placement": PostNorm()}, "gpt2: it has no place for decoder.placement"),
        ({"positions": LearnedPositions(7, offset=2)}, "gpt2: it has no place for decoder.pos"),
        ({"final_norm": False}, "gpt2: it has no place for decoder.final_norm"),
    ],
)
def test_what_cannot_be_expressed(changes, message):
    config = ours(TINY)
    decoder = dataclasses.replace(config.decoder, **changes)
    with pytest.raises(UserError, match=message):
        express(dataclasses.replace(config, decoder=decoder))


def test_names_and_layout_of_tensors():
    _, params, tensors = made(True)
    attention = "decoder/layers/self_attention"
    qkv = [params[f"{attention}/{name}/kernel"][1] for name in ("query", "key", "value")]
    biases = [params[f"{attention}/{name}/bias"][2] for name in ("query", "key", "value")]
    expected = {
        "transformer.wte.weight": params["token_embedder/embedding"],
        "transformer.wpe.weight": params["decoder/positions/embedding"],
        "transformer.h.1.attn.c_attn.weight": np.concatenate(qkv, axis=1),
        "transformer.h.2.attn.c_attn.bias": np.concatenate(biases),
        "transformer.h.0.attn.c_proj.weight": params[f"{attention}/out/kernel"][0],
        "transformer.h.0.mlp.c_fc.weight": params["decoder/layers/mlp/wi/kernel"][0],
        "transformer.h.2.ln_2.bias": params["decoder/layers/mlp_norm/bias"][2],
        "transformer.ln_f.weight": params["decoder/final_norm/scale"],
    }
    assert_same({name: tensors[name] for name in expected}, expected)
    assert len(tensors) == 2 + 3 * 12 + 2
    _, params, tensors = made(False)
    np.testing.assert_array_equal(tensors["lm_head.weight"], params["lm_head/kernel"].T)


def without_prefix(tensors):
    return {name.removeprefix("transformer."): array for name, array in tensors.items()}


def with_buffers(tensors):
    buffers = {"attn.bias": np.ones((1, 1, 7, 7)), "attn.masked_bias": np.array(-1e4)}
    layers = {f"transformer.h.{i}.{n}": x for i in range(3) for n, x in buffers.items()}
    return tensors | layers


def without_prefix_with_buffers(tensors):  # as the published files are
    return without_prefix(with_buffers(tensors))


def with_copy(tensors):
    return tensors | {"lm_head.weight": tensors["transformer.wte.weight"]}


@pytest.mark.parametrize(
    "change", [dict, without_prefix, with_buffers, without_prefix_with_buffers, with_copy]
)
def test_reading(change):
    config, params, tensors = made(True)
    assert_same(read(change(tensors), config), params)


@pytest.mark.parametrize("change", [dict, without_prefix, with_buffers])
def test_reading_with_a_head_of_its_own(change):
    config, params, tensors = made(False)
    assert_same(read(change(tensors), config), params)


def test_a_head_of_its_own_counts_whatever_the_settings_say():
    config, _, tensors = made(False)
    source = MemorySource(tensors)
    assert family_of(TINY, "").with_tensors(made(True)[0], source) == config
