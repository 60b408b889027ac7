"""Our part of SentencePiece's messages, against those of its package."""

import pytest
from sentencepiece import sentencepiece_model_pb2

from t2t.data.vocabularies.sentence_piece_proto import BYTE, UNIGRAM, USER_DEFINED, new_model
from tests.data.vocabularies.test_sentence_piece import MODEL

SENTENCE_PIECE = sentencepiece_model_pb2.ModelProto.SentencePiece


def read(content):
    ours, theirs = new_model(), sentencepiece_model_pb2.ModelProto()
    ours.ParseFromString(content)
    theirs.ParseFromString(content)
    return ours, theirs


def test_nothing_is_lost_by_reading_and_writing():
    ours, theirs = read(MODEL.read_bytes())
    again = sentencepiece_model_pb2.ModelProto()
    again.ParseFromString(ours.SerializeToString())
    assert again == theirs
    assert len(ours.pieces) == len(theirs.pieces) > 1000


@pytest.mark.parametrize("part", ["trainer_spec", "normalizer_spec"])
@pytest.mark.parametrize("content", [MODEL.read_bytes(), b""], ids=["model", "defaults"])
def test_fields_mean_the_same(content, part):
    ours, theirs = (getattr(model, part) for model in read(content))
    for field in ours.DESCRIPTOR.fields:
        assert getattr(ours, field.name) == getattr(theirs, field.name), field.name


def test_kinds_have_the_same_numbers():
    assert sentencepiece_model_pb2.TrainerSpec.UNIGRAM == UNIGRAM
    assert (SENTENCE_PIECE.USER_DEFINED, SENTENCE_PIECE.BYTE) == (USER_DEFINED, BYTE)
    ours = new_model()
    ours.pieces.add(piece="a", score=1.5, type=USER_DEFINED)
    _, theirs = read(ours.SerializeToString())
    assert theirs.pieces == [SENTENCE_PIECE(piece="a", score=1.5, type=SENTENCE_PIECE.USER_DEFINED)]
