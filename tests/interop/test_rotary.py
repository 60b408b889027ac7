import pytest

from t2t.errors import UserError
from t2t.interop.family import HFConfig
from t2t.interop.rotary import our_rope, their_rope
from t2t.models.positions import ALiBi, LinearScaling, Llama3Scaling, RoPE, YarnScaling

LLAMA3 = {
    "factor": 32.0,
    "high_freq_factor": 4.0,
    "low_freq_factor": 1.0,
    "original_max_position_embeddings": 8192,
}
ROPES = {
    "plain": RoPE(500000.0),
    "linear": RoPE(scaling=LinearScaling(2.0)),
    "llama3": RoPE(500000.0, scaling=Llama3Scaling(32.0, 1.0, 4.0, 8192)),
    "yarn": RoPE(scaling=YarnScaling(4.0, 1024, beta_fast=16.0, truncate=False)),
    "yarn, factor given": RoPE(scaling=YarnScaling(4.0, 1024, attention_factor=1.25)),
}


def ours(settings, **arguments):
    return our_rope(HFConfig({"model_type": "llama", **settings}), **arguments)


@pytest.mark.parametrize("name", ROPES)
def test_round_trip(name):
    assert ours(their_rope(ROPES[name])) == ROPES[name]


def test_partial_round_trip():
    half = RoPE(fraction=0.5, interleaved=True)
    settings = their_rope(half, partial=True)
    assert settings["rope_parameters"]["partial_rotary_factor"] == 0.5
    assert ours(settings, partial=0.25, interleaved=True) == half
    whole = RoPE(interleaved=True)
    assert ours(their_rope(whole, partial=True), partial=0.5, interleaved=True) == whole


@pytest.mark.parametrize(
    "settings",
    [
        {"rope_theta": 500000.0, "rope_scaling": {"rope_type": "llama3", **LLAMA3}},
        {"rope_theta": 500000.0, "rope_scaling": {"type": "llama3", **LLAMA3}},
        {"rope_parameters": {"rope_theta": 500000.0, "rope_type": "llama3", **LLAMA3}},
        {
            "rope_theta": 10000.0,  # not this
            "rope_parameters": {"rope_theta": 500000.0, "rope_type": "llama3", **LLAMA3},
        },
    ],
)
def test_spellings(settings):
    assert ours(settings) == ROPES["llama3"]


@pytest.mark.parametrize(
    "settings",
    [{}, {"rope_scaling": None, "rope_theta": 10000.0}, {"rope_parameters": {"rope_theta": None}}],
)
def test_defaults(settings):
    assert ours(settings) == RoPE(10000.0)
    assert ours(settings, partial=0.5) == RoPE(10000.0, fraction=0.5)


@pytest.mark.parametrize(
    ("settings", "length"),
    [
        ({"max_position_embeddings": 64}, 64),
        ({"max_position_embeddings": 64, "original_max_position_embeddings": 32}, 32),
    ],
)
def test_original_length(settings, length):
    scaling = {"rope_type": "yarn", "factor": 4.0}
    assert ours({**settings, "rope_scaling": scaling}) == RoPE(scaling=YarnScaling(4.0, length))


def test_longest_text_is_told_by_the_scaling():
    assert their_rope(ROPES["yarn"])["max_position_embeddings"] == 4096
    assert "max_position_embeddings" not in their_rope(ROPES["linear"])


def test_mscale_tells_the_attention_factor():
    scaling = {"rope_type": "yarn", "factor": 10.0, "original_max_position_embeddings": 8}
    rope = ours({"rope_scaling": {**scaling, "mscale": 2.0, "mscale_all_dim": 1.0}})
    log = 2.302585092994046
    assert rope.scaling.attention_factor == pytest.approx((0.2 * log + 1) / (0.1 * log + 1))
    assert ours({"rope_scaling": {**scaling, "mscale": 2.0}}).scaling.attention_factor is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rope_scaling": {"type": "dynamic", "factor": 2.0}}, "rope_type = 'dynamic'"),
        ({"rope_parameters": {"rope_type": "longrope"}}, "rope_type = 'longrope'.*'default'"),
        ({"rope_scaling": {"rope_type": "linear"}}, "'rope_scaling'.*does not set 'factor'"),
        (
            {"rope_parameters": {"rope_type": "llama3", "factor": 2.0, "low_freq_factor": 1.0}},
            "'rope_parameters'.*does not set 'high_freq_factor'",
        ),
        (
            {"rope_scaling": {"rope_type": "yarn", "factor": 2.0}},
            "does not set 'max_position_embeddings'",
        ),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor = 0.5.*'llama' turn all"),
    ],
)
def test_what_has_no_place_is_refused(settings, message):
    with pytest.raises(UserError, match=message):
        ours(settings)


def test_other_positions_are_not_expressed():
    with pytest.raises(UserError, match="rotary positions"):
        their_rope(ALiBi())
