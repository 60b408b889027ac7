import dataclasses

import pytest

from t2t.errors import UserError
from t2t.models.attention import Attention
from t2t.models.config import DTYPES, REMAT_POLICIES, Compute, Dropout, SpecialTokens
from t2t.models.norms import RMSNorm
from t2t.models.positions import RelativeBias
from t2t.models.presets import t5
from tests.models.computing import SIZES, V1_1

RATES = [field.name for field in dataclasses.fields(Dropout) if field.name != "shared_over_length"]


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, float("nan")])
@pytest.mark.parametrize("name", RATES)
def test_dropout_rates_must_be_probabilities_below_one(name, rate):
    with pytest.raises(UserError, match=rf"Dropout\.{name} must be in \[0, 1\)"):
        Dropout(**{name: rate})


@pytest.mark.parametrize("name", RATES)
def test_dropout_is_true_if_anything_is_dropped(name):
    assert Dropout(**{name: 0.1})
    assert not Dropout(shared_over_length=True)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("remat", "minimum", "Did you mean 'minimal'"),
        ("dtype", "bfloat", "Did you mean 'bfloat16'"),
        ("attention", "cuddn", "Did you mean 'cudnn'"),
        ("remat", "xyz", "none of " + ", ".join(REMAT_POLICIES)),
        ("dtype", "xyz", "none of " + ", ".join(DTYPES)),
    ],
)
def test_unknown_names_are_errors_with_the_valid_ones(field, value, message):
    with pytest.raises(UserError, match=rf"Compute\.{field}: .*{message}"):
        Compute(**{field: value})


@pytest.mark.parametrize("name", SIZES)
def test_sizes_of_a_t5_must_be_positive(name):
    with pytest.raises(UserError, match=r"must be (at least \d|beyond).*got 0"):
        t5(**SIZES | {name: 0})


def test_defaults_of_the_preset_are_those_of_t5_1_1():
    config = t5(**{k: v for k, v in SIZES.items() if k not in ("num_buckets", "max_distance")})
    assert config.encoder.feed_forward.activations == ("gelu_tanh", "linear")
    assert not config.head.tied
    assert not config.dropout
    assert config.tokens == SpecialTokens(pad=0, eos=1, bos=None, start=0)
    for stack in (config.encoder, config.decoder):
        assert stack.positions == RelativeBias(32, 128)
        assert stack.norm == RMSNorm(1e-6)
        assert stack.attention == Attention(3, 4, scale=1.0)


def test_configurations_are_immutable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        V1_1.vocab_size = 8
