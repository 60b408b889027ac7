import dataclasses
import functools

import jax.numpy as jnp
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.interop.adaptation import adapt
from t2t.interop.families import express
from t2t.models.attention import Attention
from t2t.models.config import Dropout, SpecialTokens
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import Model
from t2t.models.embedding import Embedding, Places
from t2t.models.feed_forward import FeedForward
from t2t.models.heads import LMHead
from t2t.models.masks import AttentionMask
from t2t.models.norms import LayerNorm, RMSNorm
from t2t.models.parameter_paths import flatten, shapes_of, unflatten
from t2t.models.positions import ALiBi, LearnedPositions, RelativeBias, RoPE
from t2t.models.presets import t5
from t2t.models.residual import SandwichNorm
from t2t.models.stack import Stack

VOCAB = 23
TOKENS = SpecialTokens(pad=0, eos=1, bos=2, start=2)
GEMMA = DecoderOnly(
    VOCAB,
    Stack(
        3,
        12,
        Attention(2, 6, num_kv_heads=1, scale=4**-0.5, soft_cap=5.0),
        FeedForward(10),
        norm=RMSNorm(offset=1.0),
        positions=RoPE(),
        placement=SandwichNorm(),
        embedding=Embedding(scaled=True),
        window=3,
        local_layers=(True, False),
    ),
    head=LMHead(soft_cap=4.0),
    tokens=TOKENS,
    dropout=Dropout(residual=0.1),
)
LLAMA = DecoderOnly(
    VOCAB,
    Stack(
        2,
        16,
        Attention(4, 4, num_kv_heads=2, norm=RMSNorm()),
        FeedForward(8, ("silu", "linear")),
        positions=RoPE(500.0),
    ),
    head=LMHead(tied=False),
    tokens=TOKENS,
)
GPT2 = DecoderOnly(
    VOCAB,
    Stack(
        2,
        8,
        Attention(2, 4, bias=True, out_bias=True),
        FeedForward(12, ("gelu_tanh",), bias=True),
        norm=LayerNorm(),
        positions=LearnedPositions(16),
    ),
    tokens=SpecialTokens(pad=None, eos=1, bos=1, start=1),
)
ALIBI = dataclasses.replace(GPT2, decoder=dataclasses.replace(GPT2.decoder, positions=ALiBi()))
MODELS = {"gemma": GEMMA, "llama": LLAMA, "gpt2": GPT2, "alibi": ALIBI}
every_model = pytest.mark.parametrize("name", MODELS)


@functools.cache
def params_of(config, seed=0):
    rng = np.random.default_rng(seed)
    shapes = shapes_of(Model(config).abstract_params)
    return unflatten({p: jnp.asarray(rng.normal(size=s), jnp.float32) for p, s in shapes.items()})


def adapted(encoder, decoder):
    return adapt(encoder, params_of(encoder), decoder, params_of(decoder, 1), seed=3)


def tokens(length=7):
    return jnp.asarray(np.random.default_rng(0).integers(2, VOCAB, (2, length)), jnp.int32)


@every_model
def test_encoder_with_a_causal_mask_is_the_language_model(name):
    config = MODELS[name]
    new, params = adapted(config, config)
    module = Model(new).bind(params)
    vectors = module.encoder_token_embedder(tokens(), jnp.float32)
    places = Places(jnp.arange(tokens().shape[1])[None])
    hidden = module.encoder(vectors, places, AttentionMask(causal=True))
    expected = Model(config).bind(params_of(config)).hidden({"decoder_input_tokens": tokens()})
    np.testing.assert_allclose(hidden, expected, atol=1e-5)
    both_ways = module.encode({"encoder_input_tokens": tokens()})
    assert np.abs(both_ways - expected)[:, :-1].max() > 0.01


@every_model
def test_decoder_that_gets_nothing_from_the_encoder_is_the_language_model(name):
    config = MODELS[name]
    new, params = adapted(config, config)
    params = unflatten(
        {
            path: array * 0 if "/cross_attention/out/" in path else array
            for path, array in flatten(params).items()
        }
    )
    batch = {"encoder_input_tokens": tokens(5), "decoder_input_tokens": tokens()}
    logits = Model(new).bind(params)(batch)
    expected = Model(config).bind(params_of(config, 1))(batch)
    np.testing.assert_allclose(logits, expected, atol=1e-5)


@every_model
def test_balanced(name):
    config = MODELS[name]
    new, params = adapted(config, config)
    assert shapes_of(params) == shapes_of(Model(new).abstract_params)
    assert new.decoder.cross_attention == config.decoder.attention
    layers, source = params["decoder"]["layers"], flatten(params_of(config, 1)["decoder"]["layers"])
    copied = {p: a for p, a in source.items() if p.startswith("self_attention")}
    assert any(path.startswith("self_attention_norm") for path in copied)
    for path, array in copied.items():
        twin = flatten(layers)[path.replace("self_", "cross_", 1)]
        np.testing.assert_array_equal(twin, array, err_msg=path)


@pytest.mark.parametrize("pair", [(LLAMA, GEMMA), (GEMMA, LLAMA)], ids=["large", "small"])
def test_unbalanced(pair):
    new, params = adapted(*pair)
    assert shapes_of(params) == shapes_of(Model(new).abstract_params)
    assert (new.encoder, new.head, new.dropout) == (pair[0].decoder, pair[1].head, pair[1].dropout)
    layers = params["decoder"]["layers"]
    assert layers["cross_attention"]["key"]["kernel"].shape[1] == pair[0].decoder.d_model
    fresh = {p: a for p, a in flatten(layers).items() if p.startswith("cross_attention")}
    norms = {path for path in fresh if path.endswith("scale")}
    for path in norms:
        np.testing.assert_array_equal(fresh[path], 1.0 - pair[1].decoder.norm.offset)
    for path in fresh.keys() - norms:  # NormalInit
        assert 0.01 < np.std(fresh[path]) < 0.03, path
    np.testing.assert_array_equal(
        layers["self_attention"]["key"]["kernel"],
        params_of(pair[1], 1)["decoder"]["layers"]["self_attention"]["key"]["kernel"],
    )


def test_each_side_keeps_its_table_and_the_decoder_its_head():
    params = adapted(GEMMA, LLAMA)[1]
    for side, (config, seed) in {"encoder": (GEMMA, 0), "decoder": (LLAMA, 1)}.items():
        table = params[f"{side}_token_embedder"]["embedding"]
        expected = params_of(config, seed)["token_embedder"]["embedding"]
        np.testing.assert_array_equal(table, expected)
    np.testing.assert_array_equal(
        params["lm_head"]["kernel"], params_of(LLAMA, 1)["lm_head"]["kernel"]
    )
    assert "lm_head" not in adapted(LLAMA, GEMMA)[1]


def test_arrays_are_not_copied():
    params = adapted(LLAMA, LLAMA)[1]
    source = params_of(LLAMA, 1)["decoder"]
    assert params["decoder"]["final_norm"]["scale"] is source["final_norm"]["scale"]
    assert "cross_attention" not in source["layers"]


def test_a_decoder_without_padding_gets_it():
    assert adapted(GPT2, GPT2)[0].tokens == SpecialTokens(pad=0, eos=1, bos=1, start=1)


def test_gemma_becomes_t5gemma():
    family, settings = express(adapted(GEMMA, GEMMA)[0])
    assert settings["model_type"] in family.model_types == ("t5gemma",)
    assert settings["encoder"]["sliding_window"] == 2  # counted without the query
    assert settings["decoder"]["sliding_window"] == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocab_size": 24}, r"DecoderOnly.vocab_size .* encoder is 24 .* decoder 23"),
        (
            {"tokens": SpecialTokens(pad=3)},
            r"DecoderOnly.tokens.pad .* encoder is 3 .* decoder 0",
        ),
        (
            {"tokens": dataclasses.replace(TOKENS, eos=5)},
            r"DecoderOnly.tokens.eos .* encoder is 5 .* decoder 1",
        ),
        (
            {"decoder": dataclasses.replace(LLAMA.decoder, positions=RelativeBias())},
            r"Stack.positions = RelativeBias\(\) cannot become an encoder",
        ),
    ],
)
def test_models_that_do_not_go_together(changes, message):
    encoder = dataclasses.replace(LLAMA, **changes)
    with pytest.raises(UserError, match=message):
        adapt(encoder, params_of(encoder), LLAMA, params_of(LLAMA))


def test_only_decoders_are_taken():
    sizes = {"d_model": 8, "d_ff": 8, "num_heads": 2, "head_dim": 4}
    config = t5(vocab_size=VOCAB, num_encoder_layers=1, num_decoder_layers=1, **sizes)
    message = "that for the encoder is of the class EncoderDecoder"
    with pytest.raises(UserError, match=message):
        adapt(config, {}, LLAMA, {})
