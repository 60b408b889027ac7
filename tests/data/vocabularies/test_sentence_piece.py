import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from t2t.data.vocabularies import SentencePieceVocabulary, sentence_piece
from t2t.errors import UserError

MODEL = Path(__file__).parents[2] / "golden" / "sentencepiece_32k.model"


def test_fingerprint_follows_the_content_of_the_model_file(tmp_path):
    copy, other = tmp_path / "copy.model", tmp_path / "other.model"
    copy.write_bytes(MODEL.read_bytes())
    other.write_bytes(MODEL.read_bytes()[:-1])
    original = SentencePieceVocabulary(MODEL)
    assert SentencePieceVocabulary(copy).fingerprint == original.fingerprint
    assert SentencePieceVocabulary(other).fingerprint != original.fingerprint


def test_sentencepiece_knows_sentinels_only_at_the_start_of_a_word():
    vocabulary = SentencePieceVocabulary(MODEL, extra_ids=100)
    assert vocabulary.encode("<extra_id_0>") == [32099]
    assert 32099 not in vocabulary.encode("mid<extra_id_0>dle")
    text = "Thank you <extra_id_0> me to your party <extra_id_1> week."
    assert vocabulary.decode(vocabulary.encode(text)) == text


def test_pickled_sentencepiece_holds_the_path_not_the_model():
    vocabulary = SentencePieceVocabulary(MODEL, extra_ids=100)
    ids = vocabulary.encode("some words")
    pickled = pickle.dumps(vocabulary)
    assert len(pickled) < 1000
    assert pickle.loads(pickled).encode("some words") == ids


def test_threads_share_one_loaded_model():
    sentence_piece._load.cache_clear()
    vocabulary = SentencePieceVocabulary(MODEL, extra_ids=7)
    sizes = []
    threads = [
        threading.Thread(target=lambda: sizes.append(vocabulary.vocab_size)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sizes == [32007] * 4
    assert sentence_piece._load.cache_info().misses == 1


def test_missing_model_file_is_named_at_construction(tmp_path):
    path = tmp_path / "none.model"
    with pytest.raises(UserError, match="does not exist") as error:
        SentencePieceVocabulary(path)
    assert str(path) in str(error.value)
    assert "train_sentencepiece" in str(error.value)


@pytest.mark.parametrize("content", [b"", b"this is no protocol buffer \xff\xff"])
def test_a_file_that_is_no_model_is_named(tmp_path, content):
    path = tmp_path / "bad.model"
    path.write_bytes(content)
    with pytest.raises(UserError, match="is not a SentencePiece model") as error:
        SentencePieceVocabulary(path).encode("x")
    assert str(path) in str(error.value)


def test_a_model_with_other_special_ids_is_refused(tmp_path):
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(MODEL.read_bytes())
    model.trainer_spec.bos_id = 3
    path = tmp_path / "bos.model"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match=r"\(0, 1, 2, 3\); t2t needs \(0, 1, 2, -1\)") as error:
        SentencePieceVocabulary(path).encode("x")
    assert str(path) in str(error.value)
    assert "--bos_id=-1" in str(error.value)


def test_threads_encode_as_one_does():
    vocabulary = SentencePieceVocabulary(MODEL)
    texts = [f"the year {n} was as good as the one before" for n in range(50)]
    alone = [ids.tolist() for ids in vocabulary.encode_batch(texts)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(vocabulary.encode_batch, [texts] * 4))
    assert [[ids.tolist() for ids in result] for result in results] == [alone] * 4


def test_a_batch_is_its_texts_in_writable_int32():
    vocabulary = SentencePieceVocabulary(MODEL)
    texts = ["some words", "", "and <extra_id_0>"]
    batch = vocabulary.encode_batch(texts)
    assert [row.tolist() for row in batch] == [vocabulary.encode(text) for text in texts]
    assert all(row.dtype == np.int32 and row.flags.writeable for row in batch)
    assert vocabulary.encode_batch([]) == []


def test_sentinels_may_count_upwards():
    vocabulary = SentencePieceVocabulary(MODEL, extra_ids=10, reverse_extra_ids=False)
    assert vocabulary.encode("<extra_id_0> <extra_id_9>") == [32000, 32009]
    assert vocabulary.decode([32000, 32001]) == "<extra_id_0> <extra_id_1>"
    assert vocabulary.sentinel_name(32001) == "<extra_id_1>"
    assert vocabulary.token_id("<extra_id_1>") == 32001
    assert vocabulary != SentencePieceVocabulary(MODEL, extra_ids=10)


def test_normalisation_can_be_changed():
    kept = SentencePieceVocabulary(
        MODEL, normalizer_spec_overrides={"remove_extra_whitespaces": False}
    )
    assert kept.decode(kept.encode("a a  a   a")) == "a a  a   a"
    plain = SentencePieceVocabulary(MODEL)
    assert plain.decode(plain.encode("a a  a   a")) == "a a a a"
    assert kept != plain
    assert pickle.loads(pickle.dumps(kept)) == kept


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"remove_extra_whitespace": False}, "Did you mean 'remove_extra_whitespaces'"),
        ({"add_dummy_prefix": "no"}, "add_dummy_prefix='no'"),
    ],
)
def test_a_wrong_normalisation_is_named(overrides, message):
    with pytest.raises(UserError, match=message):
        SentencePieceVocabulary(MODEL, normalizer_spec_overrides=overrides).encode("x")


def test_word_begins_and_sentence_ends_are_those_of_the_pieces():
    vocabulary = SentencePieceVocabulary(MODEL, extra_ids=100)
    ids = vocabulary.encode_array("unbelievableness ends. <extra_id_0>")
    pieces = [vocabulary._processor.id_to_piece(i) for i in ids.tolist()]
    assert vocabulary.starts_word[ids].tolist() == [p.startswith("\u2581") for p in pieces]
    assert vocabulary.ends_sentence[ids].tolist() == [p.endswith(".") for p in pieces]
    assert vocabulary.ends_sentence[ids].sum() == 1
    assert vocabulary.starts_word[[0, 1, 2, 32000]].all()
    assert vocabulary.starts_word.shape == (32100,)


def test_a_mask_may_be_a_sentinel_or_a_piece():
    sentinel = SentencePieceVocabulary(MODEL, mask_token="<extra_id_99>", sep_token="</s>")
    assert (sentinel.mask_id, sentinel.sep_id, sentinel.cls_id) == (32000, 1, None)
    assert SentencePieceVocabulary(MODEL, mask_token="<unk>").mask_id == 2
    assert sentinel != SentencePieceVocabulary(MODEL)


def test_a_mask_that_is_no_token_is_named():
    vocabulary = SentencePieceVocabulary(MODEL, mask_token="<extra_id_100>")
    with pytest.raises(UserError, match="mask_token='<extra_id_100>' is no token"):
        vocabulary.mask_id  # noqa: B018


@pytest.mark.parametrize("encode", ["encode", "encode_array"])
def test_a_lone_surrogate_is_named(encode):
    with pytest.raises(UserError, match=r"lone surrogate U\+D800, after 'ab'"):
        getattr(SentencePieceVocabulary(MODEL), encode)("ab\ud800c")


@pytest.mark.parametrize("texts", [[None], [3], ["fine", "\udc00"]])
def test_a_batch_with_no_text_is_refused(texts):
    with pytest.raises(UserError):
        SentencePieceVocabulary(MODEL).encode_batch(texts)


def test_a_remote_model_is_fetched_on_first_use(tmp_path, monkeypatch):
    monkeypatch.setenv("T2T_CACHE_DIR", str(tmp_path))
    fsspec = pytest.importorskip("fsspec")
    vocabulary = SentencePieceVocabulary("memory://models/remote.model")
    with fsspec.open("memory://models/remote.model", "wb") as file:
        file.write(MODEL.read_bytes())
    assert vocabulary == SentencePieceVocabulary("memory://models/remote.model")
    assert not list(tmp_path.rglob("*.model"))
    assert vocabulary == SentencePieceVocabulary(MODEL)
    assert vocabulary.path.is_relative_to(tmp_path)
    with pytest.raises(UserError, match=r"'memory://models/other\.model' does not exist"):
        SentencePieceVocabulary("memory://models/other.model").encode("x")


def test_sentinels_that_the_model_has_are_not_added_again(tmp_path):
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(MODEL.read_bytes())
    for k in reversed(range(100)):
        model.pieces.add(piece=f"\u2581<extra_id_{k}>", score=0.0, type=4)
    path = tmp_path / "with_sentinels.model"
    path.write_bytes(model.SerializeToString())
    held = SentencePieceVocabulary(path, extra_ids=100)
    assert (held.base_size, held.vocab_size) == (32_000, 32_100)
    assert held.sentinel_name(32_099) == "<extra_id_0>"
    assert held.encode("Thank <extra_id_0> me") == SentencePieceVocabulary(MODEL).encode(
        "Thank <extra_id_0> me"
    )
    assert SentencePieceVocabulary(path, extra_ids=10).vocab_size == 32_100
    assert SentencePieceVocabulary(path, extra_ids=0).vocab_size == 32_100
