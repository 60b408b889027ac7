import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.interop.families import express
from t2t.models.attention import Attention
from t2t.models.config import SpecialTokens
from t2t.models.decoder_only import DecoderOnly
from t2t.models.feed_forward import FeedForward
from t2t.models.heads import LMHead
from t2t.models.norms import RMSNorm
from t2t.models.positions import RoPE
from t2t.models.residual import PostNorm, SandwichNorm
from t2t.models.stack import Stack
from tests.interop.families.reading import (
    assert_same,
    decoded_by_steps,
    made,
    module_of,
    ours,
    read,
)

GLM_4_9B = {  # as it is published: THUDM/glm-4-9b-hf
    "architectures": ["GlmForCausalLM"],
    "attention_bias": True,
    "attention_dropout": 0.0,
    "eos_token_id": [151329, 151336, 151338],
    "head_dim": 128,
    "hidden_act": "silu",
    "hidden_size": 4096,
    "intermediate_size": 13696,
    "max_position_embeddings": 8192,
    "model_type": "glm",
    "num_attention_heads": 32,
    "num_hidden_layers": 40,
    "num_key_value_heads": 2,
    "pad_token_id": 151329,
    "partial_rotary_factor": 0.5,
    "rms_norm_eps": 1.5625e-07,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
    "vocab_size": 151552,
}
TINY = {
    "model_type": "glm",
    "vocab_size": 11,
    "hidden_size": 8,
    "intermediate_size": 6,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 4,
    "rms_norm_eps": 1e-3,
}
SANDWICH = TINY | {"model_type": "glm4"}
both_kinds = pytest.mark.parametrize("settings", [TINY, SANDWICH], ids=["glm", "glm4"])


def test_published_configuration():
    expected = DecoderOnly(
        151552,
        Stack(
            40,
            4096,
            Attention(32, 128, num_kv_heads=2, bias=True),
            FeedForward(13696, ("silu", "linear")),
            norm=RMSNorm(1.5625e-07),
            positions=RoPE(10000.0, fraction=0.5, interleaved=True),
        ),
        head=LMHead(tied=False),
        tokens=SpecialTokens(pad=151329, eos=151329, bos=None, start=0),
    )
    assert ours(GLM_4_9B) == expected
    assert ours(GLM_4_9B | {"model_type": "glm4"}).decoder.placement == SandwichNorm()


@both_kinds
def test_settings_are_written_as_they_were_read(settings):
    settings = settings | {
        "hidden_act": "relu",
        "attention_bias": False,
        "attention_dropout": 0.25,
        "tie_word_embeddings": True,
        "pad_token_id": 3,
        "eos_token_id": 5,
        "bos_token_id": 6,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 50.0,
            "partial_rotary_factor": 1.0,
        },
    }
    _, expressed = express(ours(settings))
    assert {name: expressed[name] for name in settings} == settings


@both_kinds
def test_names_and_layout_of_tensors(settings):
    _, params, tensors = made(settings)
    layers = "decoder/layers"
    gates = [params[f"{layers}/mlp/{name}/kernel"][1].T for name in ("wi_0", "wi_1")]
    expected = {
        "model.embed_tokens.weight": params["token_embedder/embedding"],
        "lm_head.weight": params["lm_head/kernel"].T,
        "model.layers.1.mlp.gate_up_proj.weight": np.concatenate(gates),
        "model.layers.2.mlp.down_proj.weight": params[f"{layers}/mlp/wo/kernel"][2].T,
        "model.layers.0.self_attn.v_proj.bias": params[f"{layers}/self_attention/value/bias"][0],
        "model.layers.0.input_layernorm.weight": params[f"{layers}/self_attention_norm/scale"][0],
        "model.layers.1.post_attention_layernorm.weight": params[f"{layers}/mlp_norm/scale"][1],
    }
    if settings is SANDWICH:
        behind = params[f"{layers}/self_attention_post_norm/scale"]
        expected["model.layers.1.post_self_attn_layernorm.weight"] = behind[1]
        behind = params[f"{layers}/mlp_post_norm/scale"]
        expected["model.layers.2.post_mlp_layernorm.weight"] = behind[2]
    assert_same({name: tensors[name] for name in expected}, expected)
    norms = 4 if settings is SANDWICH else 2
    assert len(tensors) == 3 + 3 * (norms + 4 + 3 + 2)


@both_kinds
def test_reading(settings):
    config, params, tensors = made(settings)
    given, values = read(settings, tensors)
    assert given == config
    assert_same(values, params)
    tied = settings | {"tie_word_embeddings": True}
    assert read(tied, tensors)[0] == config
    assert read(tied, made(tied)[2])[0] == made(tied)[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"placement": PostNorm()}, r"glm: it has no place for decoder\.placement"),
        ({"attention": Attention(4, 4, 2, out_bias=True)}, r"glm: .*attention\.out_bias = True"),
        ({"positions": RoPE()}, r"glm: it has no place for decoder\.positions\.interleaved"),
    ],
)
def test_what_cannot_be_expressed(changes, message):
    config = ours(SANDWICH)
    decoder = dataclasses.replace(config.decoder, **changes)
    with pytest.raises(UserError, match=message):
        express(dataclasses.replace(config, decoder=decoder))


@both_kinds
def test_decoding_by_steps(settings):
    module = module_of(settings)
    tokens = jnp.asarray([[1, 4, 7, 3, 9], [1, 2, 2, 8, 6]], jnp.int32)
    steps = decoded_by_steps(module, {"decoder_input_tokens": tokens})
    logits = module({"decoder_input_tokens": tokens})
    np.testing.assert_allclose(steps, logits, rtol=1e-4, atol=1e-4)
