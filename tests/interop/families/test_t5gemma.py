import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.interop.families import express
from t2t.models.attention import Attention
from t2t.models.config import Dropout, SpecialTokens
from t2t.models.embedding import Embedding
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.models.feed_forward import FeedForward
from t2t.models.heads import LMHead
from t2t.models.initializers import NormalInit
from t2t.models.norms import RMSNorm
from t2t.models.positions import RoPE
from t2t.models.residual import PreNorm, SandwichNorm
from t2t.models.stack import Stack
from tests.interop.families.reading import (
    assert_same,
    decoded_by_steps,
    made,
    module_of,
    ours,
    read,
)

LOCAL, GLOBAL = "sliding_attention", "full_attention"
SIDE = {  # of google/t5gemma-2b-2b-ul2, as it is published
    "attention_bias": False,
    "attention_dropout": 0.0,
    "attn_logit_softcapping": 50.0,
    "bos_token_id": 2,
    "classifier_dropout_rate": 0.0,
    "dropout_rate": 0.0,
    "eos_token_id": 1,
    "final_logit_softcapping": 30.0,
    "head_dim": 256,
    "hidden_activation": "gelu_pytorch_tanh",
    "hidden_size": 2304,
    "initializer_range": 0.02,
    "intermediate_size": 9216,
    "layer_types": [LOCAL, GLOBAL] * 13,
    "max_position_embeddings": 8192,
    "model_type": "t5_gemma_module",
    "num_attention_heads": 8,
    "num_hidden_layers": 26,
    "num_key_value_heads": 4,
    "pad_token_id": 0,
    "query_pre_attn_scalar": 256,
    "rms_norm_eps": 1e-06,
    "rope_theta": 10000.0,
    "sliding_window": 4096,
    "use_cache": True,
    "vocab_size": 256000,
}
T5GEMMA_2B_2B = {
    "architectures": ["T5GemmaForConditionalGeneration"],
    "attention_dropout": 0.0,
    "bos_token_id": 2,
    "classifier_dropout_rate": 0.0,
    "decoder": SIDE | {"cross_attention_hidden_size": 2304, "is_decoder": True},
    "dropout_rate": 0.0,
    "encoder": SIDE,
    "eos_token_id": 1,
    "initializer_range": 0.02,
    "is_encoder_decoder": True,
    "model_type": "t5gemma",
    "pad_token_id": 0,
    "vocab_size": 256000,
}
TINY_SIDE = {
    "model_type": "t5_gemma_module",
    "vocab_size": 13,
    "hidden_size": 8,
    "intermediate_size": 6,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 4,
    "rms_norm_eps": 1e-3,
    "hidden_activation": "gelu_pytorch_tanh",
    "query_pre_attn_scalar": 9,
    "attn_logit_softcapping": 2.0,
    "final_logit_softcapping": 3.0,
    "sliding_window": 2,
    "layer_types": [LOCAL, GLOBAL, LOCAL],
    "attention_bias": False,
    "rope_parameters": {"rope_theta": 100.0, "rope_type": "default"},
}


def tiny(encoder=None, decoder=None, **settings):
    sides = {"encoder": TINY_SIDE | (encoder or {}), "decoder": TINY_SIDE | (decoder or {})}
    return {"model_type": "t5gemma", "vocab_size": 13, **sides, **settings}


WIDER = {"hidden_size": 12, "num_hidden_layers": 2, "intermediate_size": 5, "layer_types": None}


def test_published_configuration():
    attention = Attention(8, 256, num_kv_heads=4, soft_cap=50.0)
    encoder = Stack(
        26,
        2304,
        attention,
        FeedForward(9216, ("gelu_tanh", "linear")),
        norm=RMSNorm(1e-6, offset=1.0),
        positions=RoPE(10000.0),
        placement=SandwichNorm(),
        embedding=Embedding(scaled=True),
        window=4097,
        local_layers=(True, False),
    )
    expected = EncoderDecoder(
        256000,
        encoder,
        dataclasses.replace(encoder, window=4096, cross_attention=attention),
        head=LMHead(tied=True, soft_cap=30.0),
        share_embeddings=False,
        tokens=SpecialTokens(pad=0, eos=1, bos=2, start=2),
        init=NormalInit(),
    )
    assert ours(T5GEMMA_2B_2B) == expected


def test_settings_are_written_as_they_were_read():
    layers = [LOCAL, GLOBAL, GLOBAL]
    settings = tiny(
        {"layer_types": layers, "sliding_window": 5, "head_dim": 6},
        {"layer_types": layers, "attention_bias": True, "hidden_activation": "silu"},
        dropout_rate=0.125,
        attention_dropout=0.25,
        classifier_dropout_rate=0.5,
        tie_word_embeddings=False,
    )
    config = ours(settings)
    everywhere = dict.fromkeys(("embedding", "hidden", "residual", "final"), 0.125)
    assert config.dropout == Dropout(**everywhere, attention=0.25, head=0.5)
    assert (config.encoder.window, config.decoder.window) == (6, 2)
    assert config.decoder.cross_attention.out_bias
    _, expressed = express(config)
    for side in ("encoder", "decoder"):
        wanted = settings.pop(side)
        given = expressed[side]
        assert {name: given[name] for name in wanted} == wanted
    assert {name: expressed[name] for name in settings} == settings
    assert expressed["decoder"]["cross_attention_hidden_size"] == 8


@pytest.mark.parametrize(
    ("kinds", "pattern"),
    [
        ([LOCAL, GLOBAL, LOCAL], (True, False)),
        ([LOCAL, LOCAL, GLOBAL], (True, True, False)),
        ([GLOBAL, LOCAL, LOCAL], (False, True, True)),
        ([LOCAL] * 3, (True,)),
        (None, (True, False)),
    ],
)
def test_local_layers(kinds, pattern):
    stack = ours(tiny({"layer_types": kinds})).encoder
    assert (stack.local_layers, stack.window) == (pattern, 3)


def test_no_local_layers_no_window():
    stack = ours(tiny({"layer_types": [GLOBAL] * 3})).encoder
    assert (stack.local_layers, stack.window) == ((True,), None)


def test_windows_of_two_equal_sides_are_expressed():
    config = ours(tiny())
    pair = dataclasses.replace(config.encoder, window=(3, 3), local_layers=(True, False, True))
    given = express(dataclasses.replace(config, encoder=pair))[1]["encoder"]
    assert (given["sliding_window"], given["layer_types"]) == (2, [LOCAL, GLOBAL, LOCAL])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (tiny({"vocab_size": 14}), "another vocab_size in 'encoder' than in 'decoder', 13"),
        (tiny({"layer_types": ["chunked"] * 3}), "'encoder' of .*layer_types chunked"),
        (tiny({"layer_types": [LOCAL]}), "1 layer_types for 3 layers"),
        (tiny(decoder={"hidden_activation": "gelo"}), "'decoder' of .*hidden_activation = 'gelo'"),
        (tiny({"rope_scaling": {"type": "dynamic"}}), "'encoder' of .*rope_type = 'dynamic'"),
    ],
)
def test_what_has_no_place_is_refused(settings, message):
    with pytest.raises(UserError, match=message):
        ours(settings)


def test_a_missing_side_is_named():
    with pytest.raises(UserError, match="does not set 'decoder'"):
        ours({name: value for name, value in tiny().items() if name != "decoder"})


@pytest.mark.parametrize(
    ("side", "changes", "message"),
    [
        ("encoder", {"window": (2, 4)}, r"t5gemma: it has no place for encoder.window = \(2, 4\)"),
        ("decoder", {"placement": PreNorm()}, r"t5gemma: it has no place for decoder\.placement"),
        (
            "decoder",
            {"cross_attention": Attention(2, 4)},
            r"t5gemma: it has no place for decoder\.cross_attention\.num_heads = 2 \(only 4\)",
        ),
        ("encoder", {"norm": RMSNorm(1e-3)}, r"t5gemma: .* encoder\.norm\.offset = 0"),
        ("encoder", {"local_positions": RoPE(7.0)}, r"t5gemma: .* encoder\.local_positions"),
        ("decoder", {"embedding": Embedding()}, r"t5gemma: .* decoder\.embedding\.scaled"),
    ],
)
def test_what_cannot_be_expressed(side, changes, message):
    config = ours(tiny())
    stack = dataclasses.replace(getattr(config, side), **changes)
    with pytest.raises(UserError, match=message):
        express(dataclasses.replace(config, **{side: stack}))


def test_a_shared_table_cannot_be_expressed():
    config = dataclasses.replace(ours(tiny()), share_embeddings=True)
    with pytest.raises(UserError, match="t5gemma: it has no place for share_embeddings = True"):
        express(config)


def test_names_and_layout_of_tensors():
    _, params, tensors = made(tiny(WIDER))
    layers = "decoder/layers"
    expected = {
        "model.encoder.embed_tokens.weight": params["encoder_token_embedder/embedding"],
        "model.decoder.embed_tokens.weight": params["decoder_token_embedder/embedding"],
        "model.encoder.norm.weight": params["encoder/final_norm/scale"],
        "model.decoder.layers.1.cross_attn.k_proj.weight": (
            params[f"{layers}/cross_attention/key/kernel"][1].T
        ),
        "model.decoder.layers.1.self_attn.k_proj.weight": (
            params[f"{layers}/self_attention/key/kernel"][1].T
        ),
    }
    norms = {
        "pre_self_attn_layernorm": "self_attention_norm",
        "post_self_attn_layernorm": "self_attention_post_norm",
        "pre_cross_attn_layernorm": "cross_attention_norm",
        "post_cross_attn_layernorm": "cross_attention_post_norm",
        "pre_feedforward_layernorm": "mlp_norm",
        "post_feedforward_layernorm": "mlp_post_norm",
    }
    for theirs, name in norms.items():
        expected[f"model.decoder.layers.2.{theirs}.weight"] = params[f"{layers}/{name}/scale"][2]
    assert_same({name: tensors[name] for name in expected}, expected)
    assert expected["model.decoder.layers.1.cross_attn.k_proj.weight"].shape == (8, 12)
    assert len(tensors) == 4 + 2 * (4 + 4 + 3) + 3 * (6 + 8 + 3)


def test_reading():
    config, params, tensors = made(tiny(WIDER))
    given, values = read(tiny(WIDER), tensors)
    assert given == config
    assert_same(values, params)
    copy = {"lm_head.out_proj.weight": tensors["model.decoder.embed_tokens.weight"]}
    assert read(tiny(WIDER), tensors | copy)[0] == config


def test_a_head_of_its_own_counts_whatever_the_settings_say():
    config, params, tensors = made(tiny(tie_word_embeddings=False))
    given, values = read(tiny(), tensors)
    assert given == config
    assert_same(values, params)


def test_decoding_by_steps():
    module = module_of(tiny(WIDER))
    tokens = jnp.asarray([[2, 4, 7, 3, 9, 5], [2, 6, 6, 8, 6, 4]], jnp.int32)
    inputs = jnp.asarray([[4, 5, 6, 7, 8, 1], [9, 3, 1, 0, 0, 0]], jnp.int32)
    batch = {"encoder_input_tokens": inputs, "decoder_input_tokens": tokens}
    steps = decoded_by_steps(module, batch)
    np.testing.assert_allclose(steps, module(batch), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("stddev", [0.02, 0.05])
def test_what_is_drawn_afresh_is_as_large_as_in_their_models(stddev):
    side = SIDE | {"initializer_range": stddev}
    config = ours(T5GEMMA_2B_2B | {"encoder": side, "decoder": side})
    assert config.init == NormalInit(stddev)
    assert ours(express(config)[1]).init == config.init
