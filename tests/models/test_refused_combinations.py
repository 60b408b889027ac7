"""Settings that are fine one by one, but not together: the message names both."""

import dataclasses

import pytest

from t2t.errors import UserError
from t2t.models.attention import Attention
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.models.feed_forward import FeedForward
from t2t.models.positions import ALiBi, LearnedPositions, NoPositions, RelativeBias, RoPE
from t2t.models.residual import SandwichNorm
from t2t.models.stack import Stack

ATTENTION = Attention(2, 8)
ENCODER = Stack(2, 16, ATTENTION, FeedForward(32), positions=RoPE())
DECODER = dataclasses.replace(ENCODER, cross_attention=ATTENTION)
MERGED = dataclasses.replace(ENCODER, merged_attention=True)
MIXED = dataclasses.replace(ENCODER, window=2, local_layers=(True, False))


@pytest.mark.parametrize("positions", [RelativeBias(), RelativeBias(per_layer=True), ALiBi()])
def test_merged_attention_has_no_biases(positions):
    with pytest.raises(UserError, match=r"Stack\.positions = \w+ .*Stack\.merged_attention"):
        dataclasses.replace(MERGED, positions=positions)


def test_positions_of_local_layers_alone_are_those_of_the_stack():
    with pytest.raises(UserError, match=r"Stack\.local_positions .*Stack\.local_layers"):
        dataclasses.replace(ENCODER, window=2, local_positions=RoPE(theta=100.0))


@pytest.mark.parametrize("positions", [RelativeBias(), LearnedPositions(8)])
def test_positions_of_local_layers_rotate(positions):
    with pytest.raises(UserError, match=r"Stack\.local_positions = \w+ would have no effect"):
        dataclasses.replace(MIXED, local_positions=positions)


def test_local_layers_may_have_no_positions():
    assert dataclasses.replace(MIXED, local_positions=NoPositions()).local_positions


def test_only_cross_attention_continues_positions():
    with pytest.raises(UserError, match=r"continuing_positions .*Stack\.cross_attention"):
        EncoderDecoder(20, ENCODER, MERGED, continuing_positions=True)


def test_continuing_positions_need_heads_of_one_size():
    decoder = dataclasses.replace(DECODER, cross_attention=Attention(4, 4))
    with pytest.raises(UserError, match=r"cross_attention is 4 and of its Stack\.attention 8"):
        EncoderDecoder(20, ENCODER, decoder, continuing_positions=True)


def test_shared_stacks_have_their_norms_in_the_same_places():
    encoder = dataclasses.replace(ENCODER, placement=SandwichNorm())
    with pytest.raises(UserError, match=r"share_stacks .*Stack\.placement"):
        EncoderDecoder(20, encoder, DECODER, share_stacks=True)
