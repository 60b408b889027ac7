"""Tasks of `everyday`: what each reader finds in an archive of the format that it reads."""

import re

import numpy as np
import pytest

from t2t.data.registry import get_mixture_or_task
from t2t.errors import UserError
from tests import archives
from tests.tasks.package_tasks import everyday_tasks, module, read_anew

NAMES = [task.name for task in get_mixture_or_task("everyday").tasks]
UNIT = {  # what is in one split only: a field of the examples, or a function of it
    "debian_text": "source",
    "debian_synopsis": "source",
    "debian_section": "source",
    **{f"debian_en_{language}": "en" for language in ("de", "fr", "it", "da")},
    "libreoffice_de_en_bytes": "en",
    "reuters_bytes": "inputs",
    "newsgroups": "inputs",
    "movie_reviews_bytes": "inputs",
    "trivia": "question",
    "spelling": "right",
    "inflection": "lemma",
    "pronunciation": "word",
    "german_plural": lambda example: example["noun"][-5:].lower(),
    "bible_modern": lambda example: example["verse"].split(":")[0],
    "ukrainian_correction": "source",
}
pytestmark = pytest.mark.usefixtures("folder")


def both(load):
    return [*load("train"), *load("validation")]


def texts(name, split="train"):
    task = read_anew(get_mixture_or_task(name))
    rng = np.random.default_rng(0)
    return [task.preprocess(example, rng)[0] for example in task.raw_examples(split)]


@pytest.mark.parametrize("name", NAMES)
def test_splits_have_nothing_in_common(name):
    task = read_anew(get_mixture_or_task(name))
    of = UNIT[name] if callable(UNIT[name]) else lambda example: example[UNIT[name]]
    units = [{of(example) for example in task.raw_examples(split)} for split in task.splits]
    assert all(units)
    assert sum(map(len, units)) == len(set().union(*units))


def test_records_of_an_index():
    text = "\nPackage: a\nTag: x::y,\n z::z\nSection: doc\n\n\nPackage: b\nHomepage: http://b:1\n\n"
    assert list(module("debian").records(text)) == [
        {"Package": "a", "Tag": "x::y,\n z::z", "Section": "doc"},
        {"Package": "b", "Homepage": "http://b:1"},
    ]


def test_descriptions_lose_their_line_breaks_but_for_lists():
    field = (
        "a thing\n First line\n goes on.\n .\n .\n It has:\n .\n  * this\n  * that\n - more\n End."
    )
    assert module("debian").plain(field) == (
        "a thing",
        "First line goes on.\n\nIt has:\n\n* this\n* that\n- more End.",
    )
    assert module("debian").plain("alone") == ("alone", "")


def test_packages_have_their_source_and_each_description_once():
    packages = both(module("debian").packages)
    assert len(packages) == len(archives.PACKAGES) - 1
    found = {package["synopsis"]: package for package in packages}
    manual = found["Manual of an editor"]
    assert manual["source"] == found["An editor"]["source"] == "kate"
    assert manual["long"] == "Says how.\n\nTwice."
    assert manual["section"] == "doc"
    assert found["Nothing left"]["text"] == "Nothing left"
    assert "Nothing left" not in {p["synopsis"] for p in both(module("debian").described)}


def test_synopses_in_another_language_leave_out_copies():
    pairs = both(module("debian").translations("it"))
    assert {"en": "An editor", "other": "it An editor"} in pairs
    assert len(pairs) == len({pair["en"] for pair in pairs})
    assert all(pair["other"] == f"it {pair['en']}" for pair in pairs)
    assert "A game at sea" not in {pair["en"] for pair in pairs}


def test_what_debian_tasks_ask():
    found = texts("debian_section") + texts("debian_section", "validation")
    asked = {text["inputs"]: text["targets"] for text in found}
    assert asked["section: An editor\nOpens many files."] == "editors"
    assert asked["section: A game at sea\n* guns\n* sails All aboard."] == "games"
    synopses = texts("debian_synopsis") + texts("debian_synopsis", "validation")
    assert ("synopsis: Opens many files.", "An editor") in [
        (text["inputs"], text["targets"]) for text in synopses
    ]
    german = [text["inputs"] for text in texts("debian_en_de")]
    assert all(text.startswith("de: ") for text in german)


def test_paragraphs_of_very_unequal_lengths_are_no_pairs(monkeypatch):
    libreoffice = module("libreoffice")
    pairs = [{"de": "Ja", "en": "Yes, indeed"}, {"de": "Nein", "en": "Something else altogether"}]
    monkeypatch.setattr(libreoffice, "help_pairs", lambda split: pairs)
    assert libreoffice.aligned_pairs("train") == pairs[:1]


def test_newsgroups_keep_the_standard_test():
    messages = module("newsgroups").messages
    assert [tuple(reversed(e.values())) for e in messages("test")] == archives.NEWSGROUPS["test"]
    assert len(both(messages)) == 39  # without the one that is tested


def test_questions_have_all_their_answers_as_text():
    found = {q["question"]: q["answers"] for q in both(module("trivia").questions)}
    assert found["What is the capital of Peru?"] == ["Lima"]
    assert found["Which: one has two?"] == ["La Paz", "lapaz"]
    assert found["Is 1984 a film?"] == ["no"]
    assert found["1984 was written by?"] == ["0x10"]
    assert not [question for question in found if "http" in question or "AUTHOR" in question]


def test_an_alias_is_a_right_answer():
    task = get_mixture_or_task("trivia")
    example = {"answers": ["La Paz", "lapaz"], "answer": "La Paz"}
    target = task.postprocess("La Paz", example, is_target=True)
    assert task.metric_fns[0]([target], ["The Lapaz!"]) == {"em": 100.0, "f1": 100.0}


def test_words_have_all_their_sounds_without_stress_and_remarks():
    found = {word["word"]: word["answers"] for word in both(module("pronunciation").words)}
    assert found["tomato"] == ["T AH M EY T OW", "T AH M AA T OW"]
    assert found["'bout"] == ["B AW T"]
    assert found["aalborg"] == ["AO L B AO R G"]


def test_the_nearest_pronunciation_counts():
    pronunciation = module("pronunciation")
    targets = [["T AH M EY T OW", "T AH M AA T OW"], ["B AE D"]]
    predictions = ["T AH M AA T OW", "B AE"]
    assert pronunciation.any_match(targets, predictions) == {"exact_match": 0.5}
    rate = pronunciation.phoneme_error_rate(targets, predictions)
    assert rate == {"phoneme_error_rate": pytest.approx(100 / 9)}
    assert pronunciation.phoneme_error_rate([["A B"]], [""]) == {"phoneme_error_rate": 100.0}


def test_nouns_with_one_plural():
    found = {noun["noun"]: noun["plural"] for noun in both(module("german_plural").nouns)}
    assert found["Bauhaus"] == "Bauhäuser"
    assert not {"Obst", "Alte", "De facto"} & found.keys()


def test_a_compound_is_where_its_head_is():
    held_out = module("labelled").held_out
    for split in ("train", "validation"):
        for noun in module("german_plural").nouns(split):
            assert held_out(noun["noun"][-5:], 20) == (split == "validation")


def test_verses_that_both_have_without_notes_and_headings():
    found = {pair["verse"]: (pair["old"], pair["modern"]) for pair in both(module("bible").pairs)}
    assert found["Gen.1:1"] == ("In the beginning it was.", "In the beginning, it was.")
    assert found["Gen.1:2"] == ("And God said", "God said.")
    assert found["Gen.2:1"] == ("Thou art.", "You are.")
    assert "Gen.2:2" not in found
    assert found["Ps.59:1"] == ("Sing thou 59.", "Sing 59.")
    assert found["Matt.1:1"] == ("The book.", "The book.")
    assert found["Matt.1:2"] == ("The end.", "The end.")


def test_sentences_have_the_corrections_of_all_editors():
    sentences = module("ukrainian").sentences
    tested, _ = sentences("test")
    assert tested["answers"] == ["Привіт, Настя", "Привіт, Насте."]
    train = {e["source"]: e["corrected"] for e in both(sentences)}
    assert train["Він иде."] == "Він іде."
    assert not {"", "Так"} & train.keys()  # nothing, and what is tested
    assert len(train) == 52


def test_edits_of_words_and_marks():
    edits = module("ukrainian").edits
    assert edits("a b c", "a b c") == set()
    assert edits("a b c", "a x y c") == {(1, 2, ("x", "y"))}
    assert edits("a b", "a, b.") == {(1, 1, (",",)), (2, 2, (".",))}
    assert edits("don't go", "dont go") == {(0, 1, ("dont",))}


def test_corrections_are_scored_against_the_better_editor():
    score = module("ukrainian").correction_f05
    targets = [("Привіт Настя", ["Привіт, Настя", "Привіт, Насте."]), ("Так", ["Так"])]
    copied = score(targets, ["Привіт Настя", "Так"])
    assert copied == {"precision": 100.0, "recall": 0.0, "f0.5": 0.0}
    perfect = score(targets, ["Привіт, Насте.", "Так"])
    assert set(perfect.values()) == {100.0}
    # One right of two edits made, of one wanted.
    partly = score(targets, ["Привіт, Настя", "Інше"])
    assert partly == {"precision": 50.0, "recall": 100.0, "f0.5": pytest.approx(100 * 5 / 9)}
    matched = module("ukrainian").exact_correction(targets, ["Привіт, Насте.", "Інше"])
    assert matched == {"exact_match": 0.5}


@pytest.mark.parametrize("name", NAMES)
def test_right_answers_have_perfect_scores(name):
    task = read_anew(get_mixture_or_task(name))
    if task.objective:
        return
    found = [text for split in task.splits for text in texts(name, split)]
    wanted = [task.postprocess(text["targets"], text, is_target=True) for text in found]
    right = [task.postprocess(text["targets"], text, is_target=False) for text in found]
    for metric in task.metric_fns:
        for measure, value in metric(wanted, right).items():
            best = {"exact_match": 1.0, "phoneme_error_rate": 0.0}.get(measure, 100.0)
            if measure != "bleu":  # it needs sentences of four words
                assert value == pytest.approx(best), measure


@pytest.mark.parametrize("name", NAMES)
def test_missing_data_is_answered_with_the_command_that_fetches_it(name, folder, monkeypatch):
    monkeypatch.setenv("T2T_DATA_DIR", str(folder / "nowhere"))
    task = read_anew(get_mixture_or_task(name))
    commands = "|".join(re.escape(archive.command()) for archive in task.source.archives)
    with pytest.raises(UserError, match=rf"^Task '{name}': .*nowhere.*`({commands})`"):
        task.raw_examples("train")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("trivia", "red_discordbot-3.5.24-py3-none-any.whl"),
        ("bible_modern", "sword-text-web_1_all.deb"),
        ("spelling", "codespell-2.4.3-py3-none-any.whl"),
    ],
)
def test_a_damaged_archive_is_named(name, file, folder):
    path = folder / file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=rf"'{name}': Cannot read '.*{file}'.* fetch it again"):
        read_anew(get_mixture_or_task(name)).raw_examples("train")


def test_a_damaged_index_is_named(folder):
    [path] = folder.glob("apt/lists/*_Packages")
    path.write_bytes(b"Package: \xff\xfe")
    with pytest.raises(UserError, match=r"Cannot read '.*_Packages'.*`t2t fetch debian_section`"):
        read_anew(get_mixture_or_task("debian_text")).raw_examples("train")


def test_every_task_has_its_vocabulary_and_a_baseline():
    for task in everyday_tasks():
        vocabularies = {feature.vocabulary for feature in task.output_features.values()}
        assert len(vocabularies) == 1
        assert task.baseline_fn or task.objective
