import pickle
import shutil
from pathlib import Path

import fsspec
import pytest

from t2t.data.features import Feature
from t2t.data.mixtures import Mixture
from t2t.data.sources import InMemoryDataSource
from t2t.data.tasks import Task
from t2t.data.vocabularies import ByteVocabulary, PublishedVocabulary, SentencePieceVocabulary
from t2t.errors import UserError

MODEL = Path(__file__).parents[2] / "golden" / "sentencepiece_32k.model"
NOWHERE = "gs://bucket-that-is-not-asked/sentencepiece.model"


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("T2T_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("OWN_MODEL", raising=False)


def task(name, vocabulary):
    return Task(name, InMemoryDataSource({"train": []}), {"targets": Feature(vocabulary)})


def test_defining_comparing_and_mixing_loads_nothing(monkeypatch):
    def loads(*_):
        raise AssertionError("loaded")

    monkeypatch.setattr("t2t.data.vocabularies.published.model_file", loads)
    monkeypatch.setattr("t2t.data.vocabularies.published._downloaded", loads)
    one = PublishedVocabulary(NOWHERE, "OWN_MODEL")
    other = PublishedVocabulary(NOWHERE, "OWN_MODEL")
    assert one == other
    assert len({one, other, pickle.loads(pickle.dumps(one))}) == 1
    assert Feature(one) == Feature(other)
    assert one != PublishedVocabulary(NOWHERE, "OWN_MODEL", extra_ids=0)
    Mixture("m", [(task("a", one), 1.0), (task("b", other), 1.0)])
    with pytest.raises(UserError, match=r"different vocabularies .*bucket-that-is-not-asked"):
        Mixture("m", [(task("a", one), 1.0), (task("b", ByteVocabulary(extra_ids=100)), 1.0)])


def test_the_environment_names_a_copy(monkeypatch):
    vocabulary = PublishedVocabulary(NOWHERE, "OWN_MODEL")
    monkeypatch.setenv("OWN_MODEL", str(MODEL))
    assert vocabulary.vocab_size == 32_100
    assert repr(vocabulary) == f"PublishedVocabulary('{MODEL}'+100)"
    assert vocabulary.path == MODEL
    assert vocabulary == SentencePieceVocabulary(MODEL)
    assert hash(vocabulary) == hash(SentencePieceVocabulary(MODEL))


def test_a_published_model_is_fetched_once(tmp_path):
    published = tmp_path / "sentencepiece.model"
    shutil.copy(MODEL, published)
    url = published.as_uri()
    vocabulary = PublishedVocabulary(url, "OWN_MODEL")
    assert not (tmp_path / "cache").exists()
    assert vocabulary.encode("some words") == SentencePieceVocabulary(MODEL).encode("some words")
    published.unlink()
    again = PublishedVocabulary(url, "OWN_MODEL")
    assert again.path.parent.parent == tmp_path / "cache" / "published"
    assert again.fingerprint == vocabulary.fingerprint


def test_what_cannot_be_fetched_is_said_with_what_to_do(tmp_path):
    url = (tmp_path / "sentencepiece.model").as_uri()
    with pytest.raises(UserError, match=r"cannot be fetched to .*No such file") as error:
        PublishedVocabulary(url, "OWN_MODEL").encode("x")
    for advice in (f"curl -O {url}", "export OWN_MODEL=", "with_new_vocabulary"):
        assert advice in str(error.value)
    assert not list((tmp_path / "cache").rglob("*.model"))


def test_a_copy_that_is_not_there_is_said_with_its_variable(monkeypatch):
    monkeypatch.setenv("OWN_MODEL", "/none.model")
    with pytest.raises(UserError, match=r"'/none\.model' does not exist.*\$OWN_MODEL says"):
        PublishedVocabulary(NOWHERE, "OWN_MODEL").encode("x")


def test_two_that_are_published_are_told_apart_without_fetching():
    one = PublishedVocabulary(NOWHERE, "OWN_MODEL")
    other = PublishedVocabulary(f"{NOWHERE}.2", "OTHER_MODEL")
    assert one != other
    assert len({one, other}) == 2


def test_the_environment_names_a_remote_file(monkeypatch):
    with fsspec.open("memory://own/words.model", "wb") as file:
        file.write(MODEL.read_bytes())
    monkeypatch.setenv("OWN_MODEL", "memory://own/words.model")
    assert PublishedVocabulary(NOWHERE, "OWN_MODEL") == SentencePieceVocabulary(MODEL)
