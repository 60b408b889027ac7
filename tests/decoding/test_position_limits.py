import dataclasses

import pytest

from t2t.decoding.position_limits import encoder_limit, position_limit, prompt_limit, row_limit
from t2t.models.decoder_only import DecoderOnly
from t2t.models.electra import Electra
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.models.encoder_only import EncoderOnly
from t2t.models.heads import LMHead, TokenClasses
from t2t.models.positions import LearnedPositions, NoPositions, TwoDimensionalPositions
from tests.decoding.numbers import VOCAB, stack


@pytest.mark.parametrize(
    ("positions", "limit"),
    [(LearnedPositions(7), 7), (TwoDimensionalPositions(9, 3), 9), (NoPositions(), None)],
)
def test_only_tables_of_positions_have_a_limit(positions, limit):
    assert position_limit(stack(positions=positions)) == limit
    decoder = stack(positions=NoPositions(), cross_attention=stack().attention)
    model = EncoderDecoder(VOCAB, stack(positions=positions), decoder)
    assert encoder_limit(model) == limit


def test_a_row_is_read_by_every_stack():
    small, large = stack(positions=LearnedPositions(7)), stack(positions=LearnedPositions(9))
    free = stack(positions=NoPositions())
    cross = dataclasses.replace(small, cross_attention=small.attention)
    assert row_limit(EncoderDecoder(VOCAB, large, cross)) == 7
    assert row_limit(DecoderOnly(VOCAB, large)) == 9
    assert row_limit(EncoderOnly(VOCAB, free)) is None
    fills, tells = (LMHead(),), (TokenClasses(1),)
    for one, other, limit in [(small, large, 7), (large, small, 7), (free, large, 9)]:
        parts = EncoderOnly(VOCAB, one, fills), EncoderOnly(VOCAB, other, tells)
        assert row_limit(Electra(*parts, share_embeddings=False)) == limit


def test_the_last_new_token_needs_no_position():
    small = DecoderOnly(VOCAB, stack(positions=LearnedPositions(12)))
    assert prompt_limit(small, 12) == 1
    assert prompt_limit(small, 4) == 9
    free = dataclasses.replace(small, decoder=stack(positions=NoPositions()))
    assert prompt_limit(free, 10**6) is None
