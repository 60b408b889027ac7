"""Special tokens around texts, and what is cut; as Hugging Face's tokenizers cut pairs."""

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from t2t.data.heads import Framing, longest_first
from t2t.data.vocabularies import ByteVocabulary, LabelVocabulary
from t2t.errors import UserError

A, B = np.array([5, 6]), np.array([7])


def test_rows_by_hand():
    framing = Framing(first=1, separator=2)
    tokens, types = framing.join(A, B)
    assert tokens.tolist() == [1, 5, 6, 2, 7, 2]
    assert types.tolist() == [0, 0, 0, 0, 1, 1]
    tokens, types = framing.join(A)
    assert (tokens.tolist(), types.tolist()) == ([1, 5, 6, 2], [0, 0, 0, 0])
    tokens, types = Framing(None, 2).join(A, B)
    assert (tokens.tolist(), types.tolist()) == ([5, 6, 2, 7, 2], [0, 0, 0, 1, 1])
    assert (framing.room(8, 2), framing.room(8, 1), Framing(None, 2).room(8, 2)) == (5, 6, 6)


def test_roles_of_a_vocabulary():
    named = ByteVocabulary(2, cls_token="<extra_id_0>", sep_token="<extra_id_1>")
    assert Framing.of(named, needs_first=True) == Framing(260, 259)
    plain = ByteVocabulary()
    assert Framing.of(plain, needs_first=False) == Framing(None, plain.eos_id)
    with pytest.raises(UserError, match=r"neither a \[CLS\] nor a start .* cls_token="):
        Framing.of(plain, needs_first=True)
    with pytest.raises(UserError, match=r"neither a separator nor an end .* sep_token="):
        Framing.of(LabelVocabulary(("a", "b")), needs_first=False)


def test_a_row_without_room():
    with pytest.raises(UserError, match=r"sequence_length\['inputs'\] is 4, which leaves 1 tokens"):
        Framing(1, 2).room(4, 2)


def test_longest_first_as_hugging_face():
    tokenizer = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    for room in range(2, 9):
        tokenizer.enable_truncation(room, strategy="longest_first")
        for first in range(1, 10):
            for second in range(1, 10):
                ids = tokenizer.encode("a " * first, "b " * second).ids
                expected = (ids.count(0), ids.count(1))
                assert longest_first(first, second, room) == expected
