import numpy as np
import pytest

from t2t.data.vocabularies import ByteVocabulary
from t2t.decoding.marked_text import marked
from tests.decoding.numbers import Numbers

BYTES = ByteVocabulary()


def of(text, places, vocabulary=BYTES):
    tokens = vocabulary.encode_array(text)
    return marked(tokens, np.isin(np.arange(len(tokens)), places), vocabulary)


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([], "a cat sat"),
        ([0], "[a] cat sat"),
        ([2, 3, 4], "a [cat] sat"),
        ([1, 2], "a [c]at sat"),
        ([1], "a[ ]cat sat"),
        ([0, 1, 2, 8], "[a c]at sa[t]"),
        (range(9), "[a cat sat]"),
    ],
)
def test_runs_are_in_brackets_and_white_space_outside(places, expected):
    assert of("a cat sat", places) == expected


@pytest.mark.parametrize(
    ("places", "expected"),
    [([1], "a[é]é"), ([2], "a[é]é"), ([1, 3], "a[é][é]"), ([2, 3], "a[éé]"), ([0, 4], "[a]é[é]")],
)
def test_characters_of_several_bytes_are_marked_whole(places, expected):
    assert of("aéé", places) == expected


def test_words():
    assert of("3 15 6 7", [1, 3], Numbers()) == "3 [15] 6 [7]"
    assert of("3 15 6 7", [0, 1], Numbers()) == "[3 15] 6 7"


def test_a_token_that_adds_nothing():
    tokens = np.array([*BYTES.encode("ab"), BYTES.pad_id, *BYTES.encode("c")])
    assert marked(tokens, np.array([False, False, True, False]), BYTES) == "ab[c]"
    assert marked(tokens[:3], np.array([False, False, True]), BYTES) == "ab"
    assert marked(np.zeros(0, np.int32), np.zeros(0, bool), BYTES) == ""
