import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.interop.families import express
from t2t.models.activations import ACTIVATIONS
from t2t.models.attention import Attention
from t2t.models.config import Dropout, SpecialTokens
from t2t.models.decoder_only import DecoderOnly
from t2t.models.feed_forward import FeedForward
from t2t.models.heads import LMHead
from t2t.models.norms import LayerNorm, RMSNorm
from t2t.models.positions import Llama3Scaling, NoPositions, RoPE
from t2t.models.residual import PostNorm
from t2t.models.stack import Stack
from tests.interop.families.reading import (
    assert_same,
    decoded_by_steps,
    made,
    module_of,
    ours,
    read,
)

LLAMA_3_2_1B = {  # as it is published, by transformers 4
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 128000,
    "eos_token_id": 128001,
    "head_dim": 64,
    "hidden_act": "silu",
    "hidden_size": 2048,
    "initializer_range": 0.02,
    "intermediate_size": 8192,
    "max_position_embeddings": 131072,
    "mlp_bias": False,
    "model_type": "llama",
    "num_attention_heads": 32,
    "num_hidden_layers": 16,
    "num_key_value_heads": 8,
    "pretraining_tp": 1,
    "rms_norm_eps": 1e-05,
    "rope_scaling": {
        "factor": 32.0,
        "high_freq_factor": 4.0,
        "low_freq_factor": 1.0,
        "original_max_position_embeddings": 8192,
        "rope_type": "llama3",
    },
    "rope_theta": 500000.0,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "use_cache": True,
    "vocab_size": 128256,
}
TINY = {
    "model_type": "llama",
    "vocab_size": 11,
    "hidden_size": 8,
    "intermediate_size": 6,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-3,
    "rope_parameters": {"rope_theta": 100.0, "rope_type": "default"},
}
TIED = TINY | {"tie_word_embeddings": True}


def test_published_configuration():
    expected = DecoderOnly(
        128256,
        Stack(
            16,
            2048,
            Attention(32, 64, num_kv_heads=8),
            FeedForward(8192, ("silu", "linear")),
            norm=RMSNorm(1e-5),
            positions=RoPE(500000.0, scaling=Llama3Scaling(32.0, 1.0, 4.0, 8192)),
        ),
        head=LMHead(tied=True),
        tokens=SpecialTokens(pad=None, eos=128001, bos=128000, start=128000),
    )
    assert ours(LLAMA_3_2_1B) == expected


def test_defaults_are_those_of_llama_1():
    least = {name: TINY[name] for name in list(TINY)[:6]}  # up to num_attention_heads
    least |= {"num_attention_heads": 4}
    config = ours(least)
    assert config.decoder.attention == Attention(4, 2)
    assert config.decoder.norm == RMSNorm(1e-6)
    assert config.decoder.positions == RoPE(10000.0)
    assert not config.head.tied
    assert config.tokens == SpecialTokens(pad=None, eos=2, bos=1, start=1)


def test_settings_are_written_as_they_were_read():
    settings = TIED | {
        "head_dim": 6,
        "hidden_act": "gelu",
        "attention_bias": True,
        "mlp_bias": True,
        "attention_dropout": 0.25,
        "pad_token_id": 3,
        "bos_token_id": None,
        "eos_token_id": 5,
        "decoder_start_token_id": 7,
    }
    config = ours(settings)
    assert config.dropout == Dropout(attention=0.25)
    assert config.tokens == SpecialTokens(pad=3, eos=5, bos=None, start=7)
    _, expressed = express(config)
    assert {name: expressed[name] for name in settings} == settings


def test_of_several_ends_the_first_counts():
    assert ours(TINY | {"eos_token_id": [4, 5]}).tokens.eos == 4


def test_equal_settings_are_expressed_alike():
    config = ours(TINY | {"num_key_value_heads": 4})
    attention = dataclasses.replace(config.decoder.attention, num_kv_heads=4, scale=2**-0.5)
    decoder = dataclasses.replace(config.decoder, attention=attention)
    same = dataclasses.replace(config, decoder=decoder)
    assert same != config
    assert express(same) == express(config)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_act": "silo"}, "hidden_act = 'silo'.*Did you mean 'silu'"),
        ({"rope_scaling": {"type": "dynamic", "factor": 2}}, "rope_type = 'dynamic'"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor = 0.5"),
        ({"num_key_value_heads": 3}, "num_heads = 4.*num_kv_heads = 3"),
    ],
)
def test_what_has_no_place_is_refused(changes, message):
    with pytest.raises(UserError, match=message):
        ours(TINY | changes)


def test_a_missing_setting_is_named():
    with pytest.raises(UserError, match="does not set 'hidden_size'"):
        ours({name: value for name, value in TINY.items() if name != "hidden_size"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"placement": PostNorm()}, r"llama: it has no place for decoder\.placement"),
        ({"norm": LayerNorm()}, r"llama: it has no place for decoder\.norm"),
        ({"positions": NoPositions()}, "llama: it has rotary positions"),
        ({"positions": RoPE(fraction=0.5)}, "llama: .* models of type 'llama' turn all features"),
        ({"window": 3}, r"llama: it has no place for decoder\.window = 3"),
        ({"d_model": 10}, "llama: its d_model must be a multiple of num_heads"),
        (
            {"attention": Attention(4, 2, 2, bias=True)},
            r"llama: it has no place for decoder\.attention\.out_bias = False",
        ),
        (
            {"feed_forward": FeedForward(6, ("silu",))},
            r"llama: it has no place for decoder\.feed_forward\.activations",
        ),
    ],
)
def test_what_cannot_be_expressed(changes, message):
    config = ours(TINY)
    decoder = dataclasses.replace(config.decoder, **changes)
    with pytest.raises(UserError, match=message):
        express(dataclasses.replace(config, decoder=decoder))


def test_names_and_layout_of_tensors():
    _, params, tensors = made(TINY | {"attention_bias": True})
    layers = "decoder/layers"
    expected = {
        "model.embed_tokens.weight": params["token_embedder/embedding"],
        "lm_head.weight": params["lm_head/kernel"].T,
        "model.norm.weight": params["decoder/final_norm/scale"],
        "model.layers.1.input_layernorm.weight": params[f"{layers}/self_attention_norm/scale"][1],
        "model.layers.2.post_attention_layernorm.weight": params[f"{layers}/mlp_norm/scale"][2],
        "model.layers.0.self_attn.q_proj.bias": params[f"{layers}/self_attention/query/bias"][0],
        "model.layers.0.self_attn.k_proj.weight": (
            params[f"{layers}/self_attention/key/kernel"][0].T
        ),
        "model.layers.1.mlp.gate_proj.weight": params[f"{layers}/mlp/wi_0/kernel"][1].T,
        "model.layers.1.mlp.up_proj.weight": params[f"{layers}/mlp/wi_1/kernel"][1].T,
        "model.layers.2.mlp.down_proj.weight": params[f"{layers}/mlp/wo/kernel"][2].T,
    }
    assert_same({name: tensors[name] for name in expected}, expected)
    assert len(tensors) == 3 + 3 * (2 + 4 + 4 + 3)
    assert "lm_head.weight" not in made(TIED)[2]


def with_copy(tensors):
    return tensors | {"lm_head.weight": tensors["model.embed_tokens.weight"]}


def with_frequencies(tensors):  # as transformers wrote once
    name = "model.layers.{}.self_attn.rotary_emb.inv_freq"
    return tensors | {name.format(i): np.ones(1) for i in range(3)}


def without_prefix(tensors):
    return {name.removeprefix("model."): array for name, array in tensors.items()}


@pytest.mark.parametrize("change", [dict, with_copy, with_frequencies, without_prefix])
def test_reading(change):
    config, params, tensors = made(TIED)
    given, values = read(TIED, change(tensors))
    assert given == config
    assert_same(values, params)


def test_a_head_of_its_own_counts_whatever_the_settings_say():
    config, params, tensors = made(TINY)
    given, values = read(TIED, tensors)
    assert given == config
    assert_same(values, params)


def test_a_missing_head_is_missing():
    with pytest.raises(UserError, match=r"lm_head\.weight"):
        read(TINY, made(TIED)[2])


def test_decoding_by_steps():
    module = module_of(TINY)
    tokens = jnp.asarray([[1, 4, 7, 3, 9], [1, 2, 2, 8, 6]], jnp.int32)
    steps = decoded_by_steps(module, {"decoder_input_tokens": tokens})
    logits = module({"decoder_input_tokens": tokens})
    np.testing.assert_allclose(steps, logits, rtol=1e-4, atol=1e-4)


def test_gate_is_activated():
    """One token, one layer, attention out of the way: the numbers by hand."""
    settings = TINY | {"num_hidden_layers": 1}
    _, params, _ = made(settings)
    layer = {
        path.removeprefix("decoder/layers/"): array[0]
        for path, array in params.items()
        if "/layers/" in path
    }

    def norm(x, scale):
        return x / np.sqrt(np.mean(x**2) + 1e-3) * scale

    x = params["token_embedder/embedding"][4]
    seen = norm(x, layer["self_attention_norm/scale"]) @ layer["self_attention/value/kernel"]
    grouped = np.repeat(seen.reshape(2, 2), 2, axis=0).reshape(-1)  # two queries for each key
    x = x + grouped @ layer["self_attention/out/kernel"]
    y = norm(x, layer["mlp_norm/scale"])
    gate = np.asarray(ACTIVATIONS["silu"](y @ layer["mlp/wi_0/kernel"]))
    x = x + (gate * (y @ layer["mlp/wi_1/kernel"])) @ layer["mlp/wo/kernel"]
    expected = norm(x, params["decoder/final_norm/scale"]) @ params["lm_head/kernel"]
    logits = module_of(settings)({"decoder_input_tokens": jnp.asarray([[4]])})
    np.testing.assert_allclose(logits[0, 0], expected, rtol=1e-4, atol=1e-4)
