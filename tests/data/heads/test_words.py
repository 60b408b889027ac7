"""Tokens of words are those of the text, each word's its own."""

import numpy as np
import pytest

from t2t.data.heads.words import encode_words, spaced_words, words_and_marks
from t2t.data.vocabularies import (
    BertWordPieceVocabulary,
    ByteVocabulary,
    SentencePieceVocabulary,
    TokenizersVocabulary,
)
from t2t.errors import UserError
from tests.data.vocabularies import tokenizer_files
from tests.data.vocabularies.test_base import MODEL

TEXT = "The cat's mat, (un-believable!) cost $3.50 in the U.S. of 1999."


@pytest.fixture(params=["bytes", "sentencepiece", "unigram", "word_piece", "byte_level_bpe"])
def vocabulary(request, tmp_path):
    match request.param:
        case "bytes":
            return ByteVocabulary()
        case "sentencepiece":
            return SentencePieceVocabulary(MODEL)
        case "unigram":
            return TokenizersVocabulary(tokenizer_files.unigram(tmp_path))
        case "word_piece":
            return TokenizersVocabulary(tokenizer_files.word_piece(tmp_path))
    return TokenizersVocabulary(tokenizer_files.byte_level_bpe(tmp_path))


def test_words():
    text = " two  words.\n"
    assert [text[a:b] for a, b in spaced_words(text)] == ["two", "words."]
    assert [text[a:b] for a, b in words_and_marks(text)] == ["two", "words", "."]
    text = "don't_ naïve"
    assert [text[a:b] for a, b in words_and_marks(text)] == ["don", "'", "t_", "naïve"]


def test_together_they_are_the_tokens_of_the_text(vocabulary):
    tokens = encode_words(vocabulary, TEXT, spaced_words(TEXT))
    assert np.concatenate(tokens).tolist() == vocabulary.encode(TEXT)
    tokens = encode_words(vocabulary, TEXT, words_and_marks(TEXT))
    if vocabulary.unk_id not in vocabulary.encode(TEXT):  # several unknown letters are one token
        joined = np.concatenate(tokens)  # "(un" or ".S" may be a token of the text
        assert vocabulary.decode(joined) == vocabulary.decode(vocabulary.encode(TEXT))


@pytest.mark.parametrize("split", [spaced_words, words_and_marks])
def test_each_word_has_its_own(vocabulary, split):
    words = split(TEXT)
    for (start, end), tokens in zip(words, encode_words(vocabulary, TEXT, words), strict=True):
        word = TEXT[start:end]
        if vocabulary.unk_id in tokens.tolist():
            continue
        text = vocabulary.decode(tokens).replace("##", "").replace(" ", "")  # BERT splits at marks
        assert text in (word, word.lower())


def test_letters_that_would_merge_stay_apart(tmp_path):
    pieces = {"<pad>": 0.0, "</s>": 0.0, "<unk>": 0.0}
    pieces |= {"\u2581a.b": -1.0, "\u2581a": -2.0, ".": -2.0, "b": -2.0, "\u2581": -3.0, "a": -3.0}
    path = tokenizer_files.unigram(tmp_path, tuple(pieces))
    vocabulary = TokenizersVocabulary(path)
    assert len(vocabulary.encode("a.b")) == 1
    tokens = encode_words(vocabulary, "a.b", words_and_marks("a.b"))
    assert [vocabulary.decode(t) for t in tokens] == ["a", ".", "b"]
    assert vocabulary.decode(np.concatenate(tokens)) == "a.b"


def test_a_word_without_tokens_is_unknown(tmp_path):
    path = tokenizer_files.bert_vocab(tmp_path)
    vocabulary = BertWordPieceVocabulary(path)
    text = "the \x00 cat"
    tokens = encode_words(vocabulary, text, spaced_words(text))
    assert tokens[1].tolist() == [vocabulary.unk_id]
    assert list(map(len, tokens)) == [1, 1, 1]
    assert encode_words(vocabulary, "", []) == []


def test_a_vocabulary_without_unknown():
    class Silent(ByteVocabulary):
        unk_id = None

        def encode_batch(self, texts):
            return [np.zeros(0, np.int32) for _ in texts]

    with pytest.raises(UserError, match="no tokens for the word 'word'"):
        encode_words(Silent(), "word", spaced_words("word"))
