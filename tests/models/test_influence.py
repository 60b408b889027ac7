"""What may influence what in encoder-decoders: causality, padding, packing, rows, the cache."""

import dataclasses

import numpy as np
import pytest

from t2t.models.attention import Attention
from t2t.models.embedding import Embedding
from t2t.models.heads import LMHead
from t2t.models.norms import LayerNorm, RMSNorm
from t2t.models.positions import (
    ALiBi,
    LearnedPositions,
    NoPositions,
    RelativeBias,
    RoPE,
    SinusoidalPositions,
)
from t2t.models.residual import PostNorm, SandwichNorm
from tests.models.computing import (
    BATCH,
    INPUTS,
    ROWS,
    TARGETS,
    V1_0,
    V1_1,
    convert,
    decoded_step_by_step,
    example,
    forward,
)


def changed(config, **both):
    """The configuration with these settings in both of its stacks."""
    replace = dataclasses.replace
    return replace(
        config, encoder=replace(config.encoder, **both), decoder=replace(config.decoder, **both)
    )


GROUPED = Attention(4, 4, num_kv_heads=2, norm=RMSNorm(), soft_cap=5.0, bias=True, out_bias=True)
GEMMA = {
    "attention": GROUPED,
    "positions": RoPE(),
    "placement": SandwichNorm(),
    "norm": RMSNorm(offset=1.0),
    "window": 3,
    "local_layers": (True, False),
    "local_positions": RoPE(theta=100.0),
    "embedding": Embedding(scaled=True),
}
BIASED = Attention(2, 8, bias=True, out_bias=True)
BART = {
    "attention": BIASED,
    "norm": LayerNorm(),
    "placement": PostNorm(),
    "final_norm": False,
    "positions": LearnedPositions(32, offset=2),
    "embedding": Embedding(norm=LayerNorm()),
}
ROTATED = changed(V1_0, positions=RoPE())
MERGED = changed(V1_0, **GEMMA)
CONFIGS = {
    "1.0": V1_0,
    "1.1": V1_1,
    "a bias per layer": changed(V1_1, positions=RelativeBias(8, 12, per_layer=True)),
    "ALiBi": changed(V1_1, positions=ALiBi()),
    "sinusoids": changed(V1_1, positions=SinusoidalPositions()),
    "no positions": changed(V1_1, positions=NoPositions()),
    "Gemma": dataclasses.replace(
        changed(V1_1, **GEMMA), head=LMHead(tied=False, soft_cap=30.0), share_embeddings=False
    ),
    "merged attention": dataclasses.replace(
        MERGED,
        decoder=dataclasses.replace(MERGED.decoder, cross_attention=None, merged_attention=True),
    ),
    "BART": dataclasses.replace(changed(V1_0, **BART), head=LMHead(bias=True)),
    "continuing positions": dataclasses.replace(ROTATED, continuing_positions=True),
    "shared parameters": changed(V1_1, num_groups=1),
    "shared stacks": dataclasses.replace(
        V1_1, decoder=dataclasses.replace(V1_1.decoder, num_layers=2), share_stacks=True
    ),
    "unequal": dataclasses.replace(
        V1_1, encoder=dataclasses.replace(V1_1.encoder, d_model=24), share_embeddings=False
    ),
}


def other_tokens(tokens):
    """Another token for each, none of them padding or end of sequence."""
    return tokens % 37 + 3


@pytest.mark.parametrize("version", CONFIGS)
@pytest.mark.parametrize("position", [0, 1, 5, 15])
def test_logits_do_not_depend_on_later_decoder_tokens(version, position):
    before = forward(CONFIGS[version])(BATCH)
    tokens = BATCH["decoder_input_tokens"].copy()
    tokens[:, position] = other_tokens(tokens[:, position])
    after = forward(CONFIGS[version])(BATCH | {"decoder_input_tokens": tokens})
    np.testing.assert_array_equal(after[:, :position], before[:, :position])
    assert (np.abs(after - before)[:, position:].max(axis=-1) > 1e-4).all()


@pytest.mark.parametrize("version", CONFIGS)
def test_every_real_encoder_token_influences_every_logit(version):
    before = forward(CONFIGS[version])(BATCH)
    for position in (0, 8):
        tokens = BATCH["encoder_input_tokens"].copy()
        tokens[:, position] = other_tokens(tokens[:, position])
        after = forward(CONFIGS[version])(BATCH | {"encoder_input_tokens": tokens})
        assert (np.abs(after - before).max(axis=-1) > 1e-5).all()


@pytest.mark.parametrize("version", CONFIGS)
def test_longer_padding_gives_the_same_logits(version):
    expected = forward(CONFIGS[version])(convert(ROWS, 14, 10))
    actual = forward(CONFIGS[version])(BATCH)
    np.testing.assert_allclose(actual[:, :10], expected, rtol=1e-4, atol=1e-5)


def test_rows_do_not_depend_on_each_other():
    before = forward(V1_1)(BATCH)
    after = forward(V1_1)(convert([[example(20, 16, 4)], ROWS[1]], INPUTS, TARGETS))
    np.testing.assert_array_equal(after[1], before[1])
    assert not np.array_equal(after[0], before[0])


FIRST, SECOND = example(9, 6, 2), example(11, 8, 3)


@pytest.mark.parametrize("version", CONFIGS)
def test_packed_examples_get_the_logits_of_each_alone(version):
    packed = forward(CONFIGS[version])(convert([[FIRST, SECOND], ROWS[0]], INPUTS, TARGETS, True))
    alone = forward(CONFIGS[version])(convert([[FIRST], [SECOND]], INPUTS, TARGETS))
    np.testing.assert_allclose(packed[0, :6], alone[0, :6], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(packed[0, 6:14], alone[1, :8], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("feature", ["inputs", "targets"])
@pytest.mark.parametrize("changed", [0, 1])
def test_packed_examples_do_not_see_each_other(changed, feature):
    pair = [FIRST, SECOND]
    before = forward(V1_1)(convert([pair, ROWS[0]], INPUTS, TARGETS, True))[0]
    pair[changed] = pair[changed] | {feature: other_tokens(pair[changed][feature])}
    after = forward(V1_1)(convert([pair, ROWS[0]], INPUTS, TARGETS, True))[0]
    parts = [slice(0, 6), slice(6, 14)]
    assert not np.array_equal(after[parts[changed]], before[parts[changed]])
    np.testing.assert_array_equal(after[parts[1 - changed]], before[parts[1 - changed]])


@pytest.mark.parametrize("version", CONFIGS)
def test_cached_decoding_equals_the_full_forward_at_every_position(version):
    config = CONFIGS[version]
    stepped = decoded_step_by_step(config, BATCH)
    np.testing.assert_allclose(stepped, forward(config)(BATCH), rtol=1e-4, atol=2e-5)
