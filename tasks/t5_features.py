"""The features of T5's tasks in the vocabularies of T5, mT5 and ByT5.

The SentencePiece models are fetched from Google's storage when they are first used, and kept.
$T2T_T5_VOCABULARY and $T2T_MT5_VOCABULARY name copies, or other models.
"""

from collections.abc import Mapping

from t2t.data.features import Feature
from t2t.data.vocabularies import ByteVocabulary, PublishedVocabulary, Vocabulary

T5_VOCABULARY = PublishedVocabulary(
    "gs://t5-data/vocabs/cc_all.32000/sentencepiece.model", "T2T_T5_VOCABULARY", extra_ids=100
)
"""32,000 pieces of English, French, German and Romanian, and sentinels from 32,099 downwards."""

MT5_VOCABULARY = PublishedVocabulary(
    "gs://t5-data/vocabs/mc4.250000.100extra/sentencepiece.model",
    "T2T_MT5_VOCABULARY",
    extra_ids=100,
)
"""250,000 pieces of 101 languages, and 100 sentinels that are pieces of the model already."""

BYT5_VOCABULARY = ByteVocabulary(extra_ids=125)
"""384 ids: UTF-8 bytes, 3 specials and 125 sentinels."""


def text_to_text(vocabulary: Vocabulary) -> Mapping[str, Feature]:
    """Inputs and targets in a vocabulary, both ending in its end of sequence."""
    return {"inputs": Feature(vocabulary), "targets": Feature(vocabulary)}


T5_FEATURES = text_to_text(T5_VOCABULARY)
MT5_FEATURES = text_to_text(MT5_VOCABULARY)
BYT5_FEATURES = text_to_text(BYT5_VOCABULARY)
