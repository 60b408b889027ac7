"""The rules and linear models that tasks are compared with."""

import pytest

from tests.tasks.package_tasks import module


def fitted(kind, pairs):
    examples = [{"text": text, "target": target} for text, target in pairs]

    def load(split):
        assert split == "train"
        return examples

    return getattr(module("baselines"), kind)(load, "do: ", "text", "target")


def test_a_copy_loses_the_prefix():
    assert module("baselines").copy("do: ")("do: do: this") == "do: this"


def test_the_majority_is_the_most_frequent_and_of_equals_the_first():
    model = fitted("Majority", [("a", "no"), ("b", "yes"), ("c", "yes"), ("d", "no")])
    assert model("do: whatever") == "no"


def test_a_linear_classifier_tells_words_and_their_order_apart():
    pairs = [("good film", "+"), ("bad film", "-"), ("not bad", "+"), ("not good", "-")] * 3
    model = fitted("LinearClassifier", pairs)
    assert [model(f"do: {text}") for text, _ in pairs[:4]] == ["+", "-", "+", "-"]


def test_the_longest_known_ending_decides():
    pairs = [("Haus", "Häuser"), ("Zeitung", "Zeitungen"), ("Hund", "Hunde"), ("Mund", "Münder")]
    model = fitted("EndingRules", [*pairs, ("Fund", "Funde"), ("Auto", "Autos"), ("Foto", "Fotos")])
    assert model("do: Achtung") == "Achtungen"
    assert model("do: Schund") == "Schunde"  # two of three that end so
    assert model("do: Maus") == "Mäuser"
    assert model("do: Limo") == "Limos"
    assert model("do: x") == "xe"  # what words do most often, of two the first by letter
    assert model("do: ") == "e"


def test_letters_sound_as_between_their_neighbours():
    words = [
        ("cat", "K AE T"),
        ("cot", "K AA T"),
        ("ice", "AY S"),
        ("ace", "EY S"),
        ("sad", "S AE D"),
    ]
    model = fitted("LetterSounds", [*words, ("ice", "AY S X"), ("face", "F EY S")])
    assert model("do: cat") == "K AE T"
    assert model("do: sat") == "S AE T"
    assert model("do: tac") == "T AE K"  # c as it is most often
    assert model("do: 99") == ""


def test_it_is_fitted_once_for_each_data_folder(monkeypatch, tmp_path):
    calls = []

    def load(split):
        calls.append(split)
        return [{"text": "a", "target": str(len(calls))}]

    model = module("baselines").Majority(load, "", "text", "target")
    monkeypatch.setenv("T2T_DATA_DIR", str(tmp_path / "one"))
    assert [model("x"), model("y")] == ["1", "1"]
    monkeypatch.setenv("T2T_DATA_DIR", str(tmp_path / "other"))
    assert model("x") == "2"


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ("synopsis: This is it. And more.", "This is it"),
        ("synopsis: One line\n* a list", "One line"),
        ("synopsis: Version 1.2 of it! Good", "Version 1.2 of it!"),
        ("synopsis: No end", "No end"),
    ],
)
def test_first_sentence(inputs, expected):
    assert module("debian").first_sentence(inputs) == expected
