import math

import jax.numpy as jnp
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.models.positions import RelativeBias, relative_position_bucket
from tests.models.positions.builds import build


def bucket_of(relative_position, bidirectional, num_buckets, max_distance):
    """Section 2.1 of the T5 paper for one offset (key minus query), in plain Python."""
    bucket = 0
    if bidirectional:
        num_buckets //= 2
        if relative_position > 0:
            bucket = num_buckets
        distance = abs(relative_position)
    else:
        distance = max(0, -relative_position)
    exact = num_buckets // 2
    if distance < exact:
        return bucket + distance
    share = math.log(distance / exact) / math.log(max_distance / exact)
    # 1e-6: exact powers, which float32 puts at the start of their bucket, must not fall below it.
    return bucket + min(exact + math.floor(share * (num_buckets - exact) + 1e-6), num_buckets - 1)


@pytest.mark.parametrize(
    ("bidirectional", "num_buckets", "max_distance"),
    [
        (True, 32, 128),
        (False, 32, 128),
        (True, 8, 20),
        (False, 8, 20),
        (True, 4, 10),
        (False, 4, 3),
    ],
)
def test_every_offset_equals_plain_python(bidirectional, num_buckets, max_distance):
    offsets = np.arange(-300, 301)
    actual = relative_position_bucket(
        offsets, bidirectional=bidirectional, num_buckets=num_buckets, max_distance=max_distance
    )
    expected = [bucket_of(int(o), bidirectional, num_buckets, max_distance) for o in offsets]
    assert actual.dtype == np.int32
    np.testing.assert_array_equal(actual, expected)


# T5's own: 32 buckets up to 128.
@pytest.mark.parametrize(
    ("offset", "encoder", "decoder"),
    [
        (0, 0, 0),
        (-1, 1, 1),
        (-7, 7, 7),
        (-8, 8, 8),  # the encoder's exact half ends
        (-11, 8, 11),
        (-12, 9, 12),
        (-15, 9, 15),
        (-16, 10, 16),  # the decoder's exact half ends
        (-22, 10, 18),
        (-23, 11, 18),
        (-31, 11, 21),
        (-32, 12, 21),
        (-63, 13, 26),
        (-64, 14, 26),
        (-90, 14, 29),
        (-91, 15, 29),
        (-112, 15, 30),
        (-113, 15, 31),
        (-127, 15, 31),
        (-128, 15, 31),
        (-100_000, 15, 31),
        (1, 17, 0),
        (7, 23, 0),
        (8, 24, 0),
        (64, 30, 0),
        (91, 31, 0),
        (100_000, 31, 0),
    ],
)
def test_known_buckets(offset, encoder, decoder):
    for bidirectional, expected in [(True, encoder), (False, decoder)]:
        actual = relative_position_bucket(
            np.array([offset]), bidirectional=bidirectional, num_buckets=32, max_distance=128
        )
        assert actual.tolist() == [expected]


def make_bias(bidirectional):
    return build(
        RelativeBias(num_buckets=8, max_distance=20), num_heads=3, causal=not bidirectional
    )


@pytest.mark.parametrize("bidirectional", [True, False])
def test_bias_picks_each_heads_value_of_the_bucket(bidirectional):
    bias = make_bias(bidirectional)
    table = np.asarray(bias.rel_embedding[...])
    actual = bias.bias(5, 40, jnp.float32)
    assert actual.shape == (1, 3, 5, 40)
    for query in range(5):
        for key in range(40):
            bucket = bucket_of(key - query, bidirectional, 8, 20)
            np.testing.assert_array_equal(actual[0, :, query, key], table[:, bucket])


def test_bias_has_the_dtype_asked_for():
    bias = make_bias(True)
    assert bias.bias(4, 4, jnp.bfloat16).dtype == jnp.bfloat16
    assert bias.bias_row(jnp.array(1), 4, jnp.bfloat16).dtype == jnp.bfloat16
    assert bias.rel_embedding[...].dtype == jnp.float32


def test_table_has_logical_axes_and_t5s_scale():
    bias = build(RelativeBias(), num_heads=16)
    assert bias.rel_embedding.get_metadata("out_sharding") == ("heads", "relpos_buckets")
    table = np.asarray(bias.rel_embedding[...])
    limit = math.sqrt(3 / ((16 + 32) / 2))  # uniform of variance 1 / average fan
    assert 0.95 * limit < np.abs(table).max() <= limit


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_buckets": 0}, "RelativeBias.num_buckets must be at least 4, got 0"),
        ({"num_buckets": 30}, "RelativeBias.num_buckets must be a multiple of 4"),
        ({"max_distance": 16}, "RelativeBias.max_distance must be beyond the 16 offsets"),
    ],
)
def test_mistaken_settings_are_named(settings, message):
    with pytest.raises(UserError, match=message):
        RelativeBias(**settings)
