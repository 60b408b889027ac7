"""Text <-> token ids."""

from t2t.data.vocabularies.base import Vocabulary
from t2t.data.vocabularies.byte import ByteVocabulary
from t2t.data.vocabularies.codepoint import FullCodepointVocabulary, PartialCodepointVocabulary
from t2t.data.vocabularies.hugging_face import (
    BertWordPieceVocabulary,
    TokenizersVocabulary,
    UnpaddedTokenizersVocabulary,
)
from t2t.data.vocabularies.labels import LabelVocabulary
from t2t.data.vocabularies.pass_through import PassThroughVocabulary
from t2t.data.vocabularies.published import PublishedVocabulary
from t2t.data.vocabularies.sentence_piece import SentencePieceVocabulary
from t2t.data.vocabularies.unigram import UnigramVocabulary

__all__ = [
    "BertWordPieceVocabulary",
    "ByteVocabulary",
    "FullCodepointVocabulary",
    "LabelVocabulary",
    "PartialCodepointVocabulary",
    "PassThroughVocabulary",
    "PublishedVocabulary",
    "SentencePieceVocabulary",
    "TokenizersVocabulary",
    "UnigramVocabulary",
    "UnpaddedTokenizersVocabulary",
    "Vocabulary",
]
