"""Words of a text, and the tokens of each."""

import functools
import itertools
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from t2t.data.vocabularies import Vocabulary
from t2t.errors import UserError

_BEFORE = (")", "a")  # what words seldom merge with


class Word(NamedTuple):
    """Characters `start` to `end` (exclusive) of a text."""

    start: int
    end: int


def spaced_words(text: str) -> list[Word]:
    """What white space separates."""
    return [Word(*match.span()) for match in re.finditer(r"\S+", text)]


def words_and_marks(text: str) -> list[Word]:
    """Runs of letters and digits, and every other character that is no white space on its own."""
    return [Word(*match.span()) for match in re.finditer(r"\w+|[^\w\s]", text)]


def encode_words(vocabulary: Vocabulary, text: str, words: Sequence[Word]) -> list[np.ndarray]:
    """Int32 tokens of each word, at least one; together those of the text, where words allow it.

    A word is encoded with the space in front of it, if the vocabulary counts that to the word, and
    one that follows another without a space as what it adds to that one. Only where its letters
    would merge with those of the word before are they other tokens than the text's.

    Raises:
      UserError: on a word without tokens, if the vocabulary has no token for the unknown.
    """
    space = _space(vocabulary)
    glued = [False, *(a.end == b.start for a, b in itertools.pairwise(words))]
    begins: list[int] = []
    for i, (start, _) in enumerate(words):
        begins.append(begins[-1] if glued[i] else start)
    texts = [
        (space if begin > words[0].start else "") + text[begin : word.end]
        for begin, word in zip(begins, words, strict=True)
    ]
    encoded = vocabulary.encode_batch(texts)
    tokens = []
    for i, (start, end) in enumerate(words):
        own = encoded[i]
        if glued[i]:
            rest = _rest(encoded[i - 1], own)
            own = _continuing(vocabulary, text[start:end]) if rest is None else rest
        tokens.append(own if len(own) else _unknown(vocabulary, text[start:end]))
    return tokens


def _continuing(vocabulary: Vocabulary, word: str) -> np.ndarray:
    """Tokens of a word that goes on after another without a space."""
    for before in _BEFORE:
        rest = _rest(*vocabulary.encode_batch([before, before + word]))
        if rest is not None:
            return rest
    return vocabulary.encode_array(word)


def _rest(before: np.ndarray, whole: np.ndarray) -> np.ndarray | None:
    """What `whole` has after `before`; None if it does not begin with that, or has no more."""
    size = len(before)
    return whole[size:] if len(whole) > size and np.array_equal(whole[:size], before) else None


def _unknown(vocabulary: Vocabulary, word: str) -> np.ndarray:
    if vocabulary.unk_id is None:
        raise UserError(
            f"{vocabulary!r} has no tokens for the word {word!r}, and none for unknown."
        )
    return np.array([vocabulary.unk_id], np.int32)


@functools.lru_cache
def _space(vocabulary: Vocabulary) -> str:
    """What a word is encoded with if white space precedes it: that, or nothing."""
    alone = vocabulary.encode("a")
    return "" if vocabulary.encode("a a") == alone + alone else " "
