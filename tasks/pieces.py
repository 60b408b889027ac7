"""The vocabulary of `gin/systems` and its tasks: 4,096 ids; see `vocabularies/README.md`."""

from pathlib import Path

from t2t.data.features import Feature
from t2t.data.vocabularies import SentencePieceVocabulary

PIECES = SentencePieceVocabulary(
    str(Path(__file__).parent / "vocabularies" / "sotu_4k.model"),
    extra_ids=64,
    mask_token="\u2581[MASK]",
    cls_token="\u2581[CLS]",
    sep_token="\u2581[SEP]",
)
"""Padding 0, end of sequence 1, unknown 2, start 3; sentinels from 4,095 downwards."""

ENDED = Feature(PIECES)
OPEN = Feature(PIECES, add_eos=False)
"""For objectives that end sequences in their own way."""


def piece_id(name: str) -> int:
    """The id of a symbol: "<sop>", or "[gMASK]" with what SentencePiece puts before a word."""
    found = PIECES.token_id(name if name.startswith("<") else f"\u2581{name}")
    assert found is not None, name
    return found
