import json

import pytest

from t2t.data.vocabularies import (
    BertWordPieceVocabulary,
    ByteVocabulary,
    FullCodepointVocabulary,
    TokenizersVocabulary,
    UnpaddedTokenizersVocabulary,
)
from t2t.errors import UserError
from t2t.interop.tokenizer_files import check_size, find, vocabulary_of
from t2t.interop.tokenizer_writing import write_tokenizer
from tests.data.vocabularies.tokenizer_files import (
    BERT_PIECES,
    bert_vocab,
    byte_level_bpe,
    unigram,
    word_piece,
)


def config(folder, **settings):
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def size_is(folder, size):
    check_size(folder, size)
    with pytest.raises(UserError, match=rf"has {size} tokens, but the model's vocab_size is"):
        check_size(folder, size - 1)


def test_no_tokenizer(tmp_path):
    assert find(tmp_path) == ()
    assert vocabulary_of(tmp_path) is None
    check_size(tmp_path, 1)


def test_vocab_txt(tmp_path):
    bert_vocab(tmp_path)
    size_is(tmp_path, len(BERT_PIECES))
    vocabulary = vocabulary_of(tmp_path)
    assert isinstance(vocabulary, BertWordPieceVocabulary)
    assert vocabulary.lower_case
    config(tmp_path, do_lower_case=False)
    assert not vocabulary_of(tmp_path).lower_case


def test_tokenizer_json_counts_before_other_files(tmp_path):
    word_piece(tmp_path)
    size = vocabulary_of(tmp_path).vocab_size
    bert_vocab(tmp_path)
    assert size != len(BERT_PIECES)
    size_is(tmp_path, size)


def test_special_tokens_named_in_the_config(tmp_path):
    unigram(tmp_path, ("<pad>", "END", "<unk>", "\u2581a", "MASK"))
    config(tmp_path, eos_token={"content": "END", "lstrip": False}, mask_token="MASK")
    vocabulary = vocabulary_of(tmp_path)
    assert (vocabulary.pad_id, vocabulary.eos_id, vocabulary.mask_id) == (0, 1, 4)


def test_decoders_need_no_padding(tmp_path):
    byte_level_bpe(tmp_path, special_tokens=())  # id 0 is text, as GPT-2's
    config(tmp_path, eos_token="the")
    vocabulary = vocabulary_of(tmp_path)
    assert isinstance(vocabulary, UnpaddedTokenizersVocabulary)
    assert 0 in vocabulary.encode("!")
    assert vocabulary.decode(vocabulary.encode("a cat!")) == "a cat!"
    assert vocabulary.starts_word[vocabulary.eos_id]
    config(tmp_path, eos_token="the", pad_token="s")
    assert isinstance(vocabulary_of(tmp_path), UnpaddedTokenizersVocabulary)
    byte_level_bpe(tmp_path)
    assert type(vocabulary_of(tmp_path)) is TokenizersVocabulary


def test_bytes(tmp_path):
    config(tmp_path, tokenizer_class="ByT5Tokenizer")
    assert vocabulary_of(tmp_path) == ByteVocabulary(125)
    size_is(tmp_path, 384)


def test_gpt2_files(tmp_path):
    (tmp_path / "vocab.json").write_text('{"a": 0, "b": 1}')
    size_is(tmp_path, 2)
    (tmp_path / "added_tokens.json").write_text('{"new": 5}')
    size_is(tmp_path, 6)


@pytest.mark.parametrize(("text", "message"), [("{", "is not JSON"), ("[]", "is no JSON object")])
def test_damaged_config(tmp_path, text, message):
    (tmp_path / "tokenizer_config.json").write_text(text)
    with pytest.raises(UserError, match=message):
        vocabulary_of(tmp_path)


def test_written_tokenizer_json_names_its_special_tokens(tmp_path):
    vocabulary = TokenizersVocabulary(str(word_piece(tmp_path)))
    out = tmp_path / "out"
    out.mkdir()
    write_tokenizer(vocabulary, out)
    assert json.loads((out / "tokenizer_config.json").read_text()) == {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": "[PAD]",
        "eos_token": "[SEP]",
        "unk_token": "[UNK]",
        "bos_token": "[CLS]",
        "mask_token": "[MASK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
    }
    assert (out / "tokenizer.json").read_bytes() == vocabulary.path.read_bytes()


def test_vocabularies_without_a_counterpart(tmp_path):
    with pytest.raises(UserError, match="no tokenizer that is a FullCodepointVocabulary"):
        write_tokenizer(FullCodepointVocabulary(), tmp_path)
    changed = TokenizersVocabulary(str(word_piece(tmp_path)), extra_ids=4)
    with pytest.raises(UserError, match=r"offset 0, 4 ids more"):
        write_tokenizer(changed, tmp_path)
