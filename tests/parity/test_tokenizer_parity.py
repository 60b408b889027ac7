"""What we write for a vocabulary of ours, `transformers.AutoTokenizer` reads as the same."""

import json

import pytest

pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("transformers", exc_type=ImportError)

import sentencepiece
import transformers

from t2t.data.vocabularies import (
    BertWordPieceVocabulary,
    ByteVocabulary,
    SentencePieceVocabulary,
    TokenizersVocabulary,
)
from t2t.interop.tokenizer_files import vocabulary_of
from t2t.interop.tokenizer_writing import write_tokenizer
from tests.data.vocabularies.tokenizer_files import CORPUS, bert_vocab, unigram

pytestmark = pytest.mark.parity

TEXTS = ["the cat sat on  the mat.", "Ünbelievable ﬁne dogs!", "", "<extra_id_3> a <extra_id_0>"]


def sentencepiece_model(folder, model_type):
    (folder / "corpus.txt").write_text("\n".join(CORPUS), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "corpus.txt"),
        model_prefix=str(folder / "own"),
        model_type=model_type,
        vocab_size=30,
        hard_vocab_limit=False,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    return str(folder / "own.model")


def read_by_transformers(vocabulary, folder, model_type="t5"):
    folder.mkdir()
    write_tokenizer(vocabulary, folder)
    (folder / "config.json").write_text(json.dumps({"model_type": model_type}))
    return transformers.AutoTokenizer.from_pretrained(folder)


def test_sentencepiece(tmp_path):
    vocabulary = SentencePieceVocabulary(sentencepiece_model(tmp_path, "unigram"), extra_ids=10)
    tokenizer = read_by_transformers(vocabulary, tmp_path / "out")
    assert len(tokenizer) == vocabulary.vocab_size
    for text in TEXTS:
        assert tokenizer(text).input_ids == [*vocabulary.encode(text), 1]
    assert tokenizer.convert_tokens_to_ids("<extra_id_0>") == vocabulary.vocab_size - 1
    assert tokenizer.pad_token_id == 0
    assert vocabulary_of(tmp_path / "out") == vocabulary
    (tmp_path / "out" / "spiece.model").unlink()  # tokenizer.json alone says the same
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    for text in TEXTS:
        assert tokenizer(text).input_ids == [*vocabulary.encode(text), 1]


def test_bytes(tmp_path):
    vocabulary = ByteVocabulary(extra_ids=10)
    tokenizer = read_by_transformers(vocabulary, tmp_path / "out")
    assert len(tokenizer) == vocabulary.vocab_size
    for text in TEXTS[:3]:
        assert tokenizer(text).input_ids == [*vocabulary.encode(text), 1]
    for k in range(10):
        name = f"<extra_id_{k}>"
        assert tokenizer.convert_tokens_to_ids(name) == vocabulary.token_id(name)
    assert vocabulary_of(tmp_path / "out") == vocabulary


def test_tokenizer_json(tmp_path):
    vocabulary = TokenizersVocabulary(str(unigram(tmp_path)))
    tokenizer = read_by_transformers(vocabulary, tmp_path / "out")
    for text in TEXTS[:2]:
        ids = tokenizer(text, add_special_tokens=False).input_ids
        assert ids == vocabulary.encode(text)
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id) == (0, 1, 2)
    assert vocabulary_of(tmp_path / "out").encode(TEXTS[0]) == vocabulary.encode(TEXTS[0])


def test_word_piece(tmp_path):
    vocabulary = BertWordPieceVocabulary(str(bert_vocab(tmp_path)), lower_case=True)
    tokenizer = read_by_transformers(vocabulary, tmp_path / "out", "bert")
    for text in TEXTS[:3]:
        ids = tokenizer(text, add_special_tokens=False).input_ids
        assert ids == vocabulary.encode(text)
    assert vocabulary_of(tmp_path / "out") == vocabulary
