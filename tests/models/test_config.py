import dataclasses

import pytest

from t2t.errors import UserError
from t2t.models.config import ACTIVATIONS, REMAT_POLICIES, T5Config

VALID = T5Config(
    vocab_size=64,
    d_model=16,
    d_ff=32,
    num_heads=2,
    head_dim=8,
    num_encoder_layers=1,
    num_decoder_layers=1,
)
SIZES = [field.name for field in dataclasses.fields(T5Config) if field.type in ("int", int)]


def test_the_sizes_are_all_the_integers():
    assert len(SIZES) == 9


@pytest.mark.parametrize("value", [0, -1])
@pytest.mark.parametrize("name", SIZES)
def test_sizes_must_be_positive(name, value):
    with pytest.raises(UserError, match=rf"T5Config\.{name} must be at least 1, got {value}"):
        dataclasses.replace(VALID, **{name: value})


@pytest.mark.parametrize("buckets", [1, 2, 3, 6, 30, 33])
def test_buckets_must_be_a_multiple_of_four(buckets):
    with pytest.raises(UserError, match=f"multiple of 4.*got {buckets}"):
        dataclasses.replace(VALID, relative_attention_num_buckets=buckets)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, float("nan")])
def test_dropout_rate_must_be_a_probability_below_one(rate):
    with pytest.raises(UserError, match=r"dropout_rate must be in \[0, 1\)"):
        dataclasses.replace(VALID, dropout_rate=rate)


@pytest.mark.parametrize(
    ("field", "value", "nearest"),
    [
        ("mlp_activations", ("gelu", "liner"), "linear"),
        ("mlp_activations", ("gelu_new",), "gelu"),
        ("remat", "minimum", "minimal"),
        ("dtype", "bfloat", "bfloat16"),
    ],
)
def test_unknown_names_are_errors_with_the_nearest_valid_one(field, value, nearest):
    with pytest.raises(UserError, match=rf"T5Config\.{field}: .*Did you mean '{nearest}'"):
        dataclasses.replace(VALID, **{field: value})


@pytest.mark.parametrize(
    ("field", "value", "listed"),
    [
        ("mlp_activations", ("xyz",), ACTIVATIONS),
        ("remat", "xyz", REMAT_POLICIES),
        ("dtype", "xyz", ("float32", "bfloat16")),
    ],
)
def test_unknown_names_are_errors_that_list_the_valid_ones(field, value, listed):
    with pytest.raises(UserError, match="none of " + ", ".join(listed)):
        dataclasses.replace(VALID, **{field: value})


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_listed_activation_is_accepted(name):
    assert dataclasses.replace(VALID, mlp_activations=(name,)).mlp_activations == (name,)


def test_defaults_are_those_of_t5_1_1():
    assert VALID.mlp_activations == ("gelu", "linear")
    assert not VALID.tie_embeddings
    assert VALID.relative_attention_num_buckets == 32
    assert VALID.relative_attention_max_distance == 128
    assert VALID.layer_norm_epsilon == 1e-6


def test_is_immutable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        VALID.d_model = 8
