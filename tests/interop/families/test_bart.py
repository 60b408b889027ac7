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
from t2t.models.heads import SequenceClasses, Spans, TokenClasses
from t2t.models.initializers import NormalInit
from t2t.models.norms import LayerNorm, RMSNorm
from t2t.models.parameter_paths import flatten, shapes_of, unflatten
from t2t.models.positions import LearnedPositions, SinusoidalPositions
from t2t.models.residual import PostNorm, PreNorm

BASE = {  # facebook/bart-base, as it is published
    "model_type": "bart",
    "architectures": ["BartModel"],
    "activation_function": "gelu",
    "vocab_size": 50265,
    "max_position_embeddings": 1024,
    "d_model": 768,
    "encoder_layers": 6,
    "encoder_ffn_dim": 3072,
    "encoder_attention_heads": 12,
    "decoder_layers": 6,
    "decoder_ffn_dim": 3072,
    "decoder_attention_heads": 12,
    "dropout": 0.1,
    "attention_dropout": 0.1,
    "activation_dropout": 0.1,
    "classifier_dropout": 0.0,
    "scale_embedding": False,
    "init_std": 0.02,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "decoder_start_token_id": 2,
}
LARGE = {
    f"{side}_{name}": value
    for side in ("encoder", "decoder")
    for name, value in {"layers": 12, "ffn_dim": 4096, "attention_heads": 16}.items()
} | {"d_model": 1024}
MBART_50 = LARGE | {
    "model_type": "mbart",
    "architectures": ["MBartForConditionalGeneration"],
    "vocab_size": 250054,
    "scale_embedding": True,
}
TINY = BASE | {
    "architectures": ["BartForConditionalGeneration"],
    "vocab_size": 11,
    "max_position_embeddings": 7,
    "d_model": 8,
    "encoder_layers": 2,
    "encoder_ffn_dim": 10,
    "encoder_attention_heads": 2,
    "decoder_layers": 3,
    "decoder_ffn_dim": 6,
    "decoder_attention_heads": 4,
}
BIAS = "final_logits_bias"


def ours(settings):
    return family_of(settings, "config.json").from_hf(HFConfig(settings))


@functools.cache
def tiny():
    """Configuration, parameters, and their tensors."""
    config = ours(TINY)
    rng = np.random.default_rng(0)
    shapes = shapes_of(Model(config).abstract_params)
    params = {path: rng.normal(size=shape).astype(np.float32) for path, shape in shapes.items()}
    tensors = write_tensors(family_of(TINY, "").table(config), unflatten(params))
    return config, params, tensors


def read(tensors):
    family, source = family_of(TINY, ""), MemorySource(tensors)
    config = family.with_tensors(ours(TINY), source)
    like = Model(config).abstract_params
    return config, flatten(read_params(family.table(config), source, like))


def assert_same(given, expected):
    assert given.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(given[name], array, err_msg=name)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, 139_420_416), (LARGE, 406_291_456), (MBART_50, 610_879_488)],
    ids=["bart-base", "bart-large", "mbart-large-50"],
)
def test_number_of_parameters_is_that_of_the_released_model(changes, expected):
    leaves = jax.tree.leaves(Model(ours(BASE | changes)).abstract_params)
    assert sum(math.prod(leaf.shape) for leaf in leaves) == expected


def test_configuration():
    config = ours(TINY | {"dropout": 0.2, "activation_dropout": 0.3, "classifier_dropout": 0.4})
    assert config.tokens == SpecialTokens(pad=1, eos=2, bos=0, start=2)
    assert config.dropout == Dropout(
        embedding=0.2, attention=0.1, hidden=0.3, residual=0.2, head=0.4
    )
    assert config.init == NormalInit(0.02)
    assert config.head.tied
    for stack in (config.encoder, config.decoder):
        assert (stack.placement, stack.final_norm) == (PostNorm(), False)
        assert (stack.norm, stack.embedding.norm) == (LayerNorm(1e-5), LayerNorm(1e-5))
        assert stack.positions == LearnedPositions(7, offset=2)
        assert stack.feed_forward.activations == ("gelu_exact",)
    assert (config.encoder.attention.num_heads, config.decoder.attention.num_heads) == (2, 4)
    assert (config.encoder.feed_forward.d_ff, config.decoder.feed_forward.d_ff) == (10, 6)


def test_mbart_has_norms_before_branches_and_after_the_last_layer():
    settings = {**TINY, "model_type": "mbart", "architectures": None}
    config = ours({**settings, "decoder_start_token_id": None})
    assert config.tokens.start == config.tokens.eos == 2
    for stack in (config.encoder, config.decoder):
        assert (stack.placement, stack.final_norm) == (PreNorm(), True)


def test_the_first_of_several_end_tokens_counts():
    config = ours(TINY | {"eos_token_id": [3, 4], "decoder_start_token_id": None})
    assert (config.tokens.eos, config.tokens.start) == (3, 3)


@pytest.mark.parametrize("model_type", ["bart", "mbart"])
def test_settings_are_written_as_they_were_read(model_type):
    settings = {
        **TINY,
        "model_type": model_type,
        "architectures": None,
        "scale_embedding": True,
        "activation_function": "relu",
        "init_std": 0.03,
    }
    _, expressed = express(ours(settings))
    assert expressed["architectures"] == [
        f"{'MB' if model_type == 'mbart' else 'B'}artForConditionalGeneration"
    ]
    wanted = {name: value for name, value in settings.items() if name != "architectures"}
    assert {name: expressed[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architectures": ["BartForTokens"]}, "BartForTokens, whose head is not supported"),
        ({"architectures": ["BartForCausalLM"]}, "only BartForConditionalGeneration"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings = False"),
        ({"activation_function": "gelu_neww"}, "Did you mean 'gelu_new'"),
        ({"decoder_attention_heads": 3}, "d_model = 8, which is not a multiple of decoder_att"),
    ],
)
def test_what_has_no_place_is_refused(changes, message):
    with pytest.raises(UserError, match=message):
        ours(TINY | changes)


def test_missing_setting():
    with pytest.raises(UserError, match="does not set 'encoder_ffn_dim'"):
        ours({name: value for name, value in TINY.items() if name != "encoder_ffn_dim"})


@pytest.mark.parametrize(
    ("part", "changes", "message"),
    [
        ("encoder", {"norm": RMSNorm()}, "bart: it has no place for encoder.norm"),
        ("decoder", {"positions": SinusoidalPositions()}, "has no place for decoder.positions"),
        ("decoder", {"final_norm": True}, "bart: it has no place for decoder.final_norm = True"),
        (None, {"share_embeddings": False}, "has no place for share_embeddings = False"),
    ],
)
def test_what_cannot_be_expressed(part, changes, message):
    config = ours(TINY)
    if part:
        changes = {part: dataclasses.replace(getattr(config, part), **changes)}
    with pytest.raises(UserError, match=message):
        express(dataclasses.replace(config, **changes))


def test_names_and_layout_of_tensors():
    _, params, tensors = tiny()
    expected = {
        "model.shared.weight": params["token_embedder/embedding"],
        "model.decoder.embed_positions.weight": params["decoder/positions/embedding"],
        "model.encoder.layernorm_embedding.bias": params["encoder/embedding/norm/bias"],
        "model.decoder.layers.2.encoder_attn.k_proj.weight": params[
            "decoder/layers/cross_attention/key/kernel"
        ][2].T,
        "model.decoder.layers.0.encoder_attn_layer_norm.weight": params[
            "decoder/layers/cross_attention_norm/scale"
        ][0],
        "model.encoder.layers.1.fc2.weight": params["encoder/layers/mlp/wo/kernel"][1].T,
        "model.encoder.layers.1.final_layer_norm.bias": params["encoder/layers/mlp_norm/bias"][1],
        BIAS: np.zeros((1, 11), np.float32),
    }
    assert_same({name: tensors[name] for name in expected}, expected)
    assert len(tensors) == 2 + 2 * 3 + 2 * 16 + 3 * 26


CLASSIFIER = "BartForSequenceClassification"


def test_heads():
    config = ours(TINY | {"architectures": [CLASSIFIER], "num_labels": 4})
    assert config.heads == (SequenceClasses(4, "tanh", "last"),)
    assert ours(TINY | {"architectures": ["BartForQuestionAnswering"]}).heads == (Spans(),)
    shapes = shapes_of(Model(config).abstract_params)
    params = {path: np.full(shape, i, np.float32) for i, (path, shape) in enumerate(shapes.items())}
    family, settings = express(config)
    assert settings["architectures"] == [CLASSIFIER]
    assert ours(settings) == config
    tensors = write_tensors(family.table(config), unflatten(params))
    assert tensors["classification_head.dense.weight"].shape == (8, 8)
    assert tensors["classification_head.out_proj.weight"].shape == (4, 8)
    assert BIAS not in tensors
    # The tensors tell of the head, and of its number of classes, whatever the settings say.
    assert read(tensors)[0] == config
    assert_same(read(tensors)[1], params)


def test_a_head_without_a_counterpart():
    config = dataclasses.replace(ours(TINY), heads=(SequenceClasses(4),))
    with pytest.raises(UserError, match=r"bart: it has no place for heads"):
        express(config)
    config = dataclasses.replace(ours(TINY), heads=(TokenClasses(4),))
    with pytest.raises(UserError, match=r"bart: it has no place for heads"):
        express(config)


def without_prefix(tensors):
    return {n.removeprefix("model."): array for n, array in tensors.items() if n != BIAS}


def with_copies(tensors):
    table = tensors["model.shared.weight"]
    copies = ("model.encoder.embed_tokens", "model.decoder.embed_tokens", "lm_head")
    return tensors | {f"{name}.weight": table for name in copies}


@pytest.mark.parametrize("change", [dict, without_prefix, with_copies])
def test_reading(change):
    config, params, tensors = tiny()
    assert read(change(tensors))[0] == config
    assert_same(read(change(tensors))[1], params)


def test_a_head_of_its_own_is_refused():
    tensors = tiny()[2]
    tensors = {**tensors, "lm_head.weight": tensors["model.shared.weight"] + 1}
    with pytest.raises(UserError, match=r"'lm_head.weight' in memory differ"):
        read(tensors)


def test_a_bias_of_logits_that_is_not_zero_is_a_parameter():
    config, params, tensors = tiny()
    tensors = tensors | {BIAS: np.linspace(-1, 1, 11, dtype=np.float32)[None]}
    biased, read_back = read(tensors)
    assert biased.head == dataclasses.replace(config.head, bias=True)
    assert_same(read_back, params | {"lm_head/bias": tensors[BIAS][0]})
    family, settings = express(biased)
    assert ours(settings) == config
    assert_same(write_tensors(family.table(biased), unflatten(read_back)), tensors)
