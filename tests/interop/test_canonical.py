import dataclasses

import pytest

from t2t.interop.canonical import canonical, shortest_pattern
from t2t.models.presets import t5


@pytest.mark.parametrize(
    ("pattern", "num_layers", "expected"),
    [
        ((True,), 1, (True,)),
        ((True, False), 1, (True,)),
        ((True, False), 5, (True, False)),
        ((True, False, True, False), 5, (True, False)),
        ((True, False, True), 3, (True, False)),
        ((True, False, True), 4, (True, False, True)),
        ((False, False), 4, (False,)),
        ((True, True, False), 2, (True,)),
    ],
)
def test_shortest_pattern(pattern, num_layers, expected):
    short = shortest_pattern(pattern, num_layers)
    assert short == expected
    for layer in range(num_layers):
        assert short[layer % len(short)] == pattern[layer % len(pattern)]


def test_canonical():
    config = t5(
        vocab_size=8,
        d_model=8,
        d_ff=8,
        num_heads=2,
        head_dim=4,
        num_encoder_layers=2,
        num_decoder_layers=2,
    )
    assert canonical(config) == config
    attention = dataclasses.replace(config.encoder.attention, num_kv_heads=2, scale=0.5)
    encoder = dataclasses.replace(config.encoder, attention=attention, window=(4, 4))
    given = canonical(dataclasses.replace(config, encoder=encoder)).encoder
    assert given.window == 4
    assert (given.attention.num_kv_heads, given.attention.scale) == (None, None)
