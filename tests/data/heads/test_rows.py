"""Rows of each kind by hand, over bytes: letter x is id ord(x) + 3."""

import logging

import numpy as np
import pytest

from t2t.data.evaluation_set import EvaluationSet
from t2t.data.features import Feature
from t2t.data.heads import ClassRows, Framing, PairClassRows, SpanRows, TagRows, with_rows
from t2t.data.mixtures import Mixture
from t2t.data.objectives import SpanCorruption
from t2t.data.preprocessors import CacheDatasetPlaceholder, rekey
from t2t.data.sources import InMemoryDataSource
from t2t.data.tasks import Task
from t2t.data.vocabularies import ByteVocabulary, LabelVocabulary
from t2t.errors import UserError

BYTES = ByteVocabulary(2)
FRAMING = Framing(first=260, separator=259)
LABELS = LabelVocabulary(("no", "yes"))
TAGS = LabelVocabulary(("D", "N"))
SPANS = SpanRows(BYTES, FRAMING, 3)
CONTEXT = {"inputs": "q?", "pair": "Ann, Bob; Ann."}


def shown(tokens):
    """A row with its special tokens in brackets."""
    special = {260: "[C]", 259: "[S]"}
    return "".join(special.get(i) or BYTES.decode([i]) for i in tokens.tolist())


def labelled(rows, length=99, **example):
    made = rows(example, {"inputs": length})
    return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in made.items()}


def logits_of(length, *spans):
    """Logits `[length, 2]` that are highest for the spans, given as (start, end, score)."""
    logits = np.zeros((length, 2), np.float32)
    for start, end, score in spans:
        logits[start, 0], logits[end, 1] = score, score
    return logits


def test_classes():
    rows = ClassRows(BYTES, FRAMING, LABELS)
    row = rows.row({"inputs": "abcd"}, 5)
    assert shown(row["inputs"]) == "[C]abc[S]"
    made = labelled(rows, inputs="ab", targets="yes")
    assert (made["labels"], made["loss_weights"], made["token_types"]) == ([1], [1], [0, 0, 0, 0])
    assert (made["inputs_pretokenized"], made["targets"]) == ("ab", "yes")
    reading = rows.read(row, {}, np.array([0.0, np.log(3.0)], np.float32))
    assert reading.text == "yes"
    assert reading.score == pytest.approx(np.log(3 / 4))


def test_pairs_lose_the_end_of_the_longer_text():
    rows = PairClassRows(BYTES, FRAMING, LABELS)
    row = rows.row({"inputs": "ab", "pair": "cdefgh"}, 8)
    assert shown(row["inputs"]) == "[C]ab[S]cde[S]"
    assert row["token_types"].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    with pytest.raises(UserError, match="the text 'pair', but an example has only 'inputs'"):
        rows.row({"inputs": "ab"}, 8)
    with pytest.raises(UserError, match="'pair' is int; it must be text"):
        rows.row({"inputs": "ab", "pair": 1}, 8)


@pytest.mark.parametrize("targets", ["", "yes no"])
def test_not_one_label(targets):
    with pytest.raises(UserError, match="must be one of the labels 'no', 'yes'"):
        labelled(ClassRows(BYTES, FRAMING, LABELS), inputs="a", targets=targets)


def test_labels_that_are_no_text():
    with pytest.raises(UserError, match="labels are text, but 'targets' is int"):
        labelled(ClassRows(BYTES, FRAMING, LABELS), inputs="a", targets=1)


def test_tags_are_at_the_first_token_of_each_word():
    rows = TagRows(BYTES, FRAMING, TAGS)
    made = labelled(rows, inputs="a dog", targets="D N")  # the space belongs to the dog
    assert made["word_starts"] == [1, 2]
    assert made["labels"] == [0, 0, 1, 0, 0, 0, 0]
    assert made["loss_weights"] == [0, 1, 1, 0, 0, 0, 0]


def test_words_without_room_have_no_tag():
    rows, example = TagRows(BYTES, FRAMING, TAGS), {"inputs": "a dog ate it"}
    row = rows.row(example, 8)  # the six tokens between are "a dog" and a half word
    assert shown(row["inputs"]) == "[C]a dog[S]"
    made = labelled(rows, 8, **example, targets="D N N D")
    assert sum(made["loss_weights"]) == 2
    logits = np.log(np.full((20, 2), [0.25, 0.75], np.float32))
    reading = rows.read(row, example, logits)
    assert reading.text == "N N _ _"
    assert reading.score == pytest.approx(2 * np.log(0.75))
    assert rows.read(rows.row({"inputs": ""}, 8), {"inputs": ""}, logits).text == ""


def test_tags_and_words_of_different_number():
    with pytest.raises(UserError, match=r"3 words in 'inputs' and 2 tags .*'a big dog' and 'D N'"):
        labelled(TagRows(BYTES, FRAMING, TAGS), inputs="a big dog", targets="D N")
    with pytest.raises(UserError, match="'NN' is none of the labels 'D', 'N'"):
        labelled(TagRows(BYTES, FRAMING, TAGS), inputs="a dog", targets="D NN")


@pytest.mark.parametrize(
    ("targets", "columns", "weight"),
    [
        ("Ann", [4, 6], 1),  # where it stands first
        ("Bob", [8, 11], 1),  # with the space in front of it
        ("Bob; Ann", [8, 16], 1),
        ("", [0, 0], 1),
        ("Bo", [0, 0], 0),
        ("Ann Bob", [0, 0], 0),
    ],
)
def test_answers_are_found_by_words(targets, columns, weight):
    made = labelled(SPANS, **CONTEXT, targets=targets)
    assert made["labels"] == columns
    assert made["loss_weights"] == [weight] * 2


def test_words_of_the_context():
    row = SPANS.row(CONTEXT, 99)
    assert shown(row["inputs"]) == "[C]q?[S]Ann, Bob; Ann.[S]"
    context = CONTEXT["pair"]
    words = [context[a:b] for a, b in zip(row["char_starts"], row["char_ends"], strict=True)]
    assert words == ["Ann", ",", "Bob", ";", "Ann", "."]
    tokens = [
        row["inputs"][a : b + 1] for a, b in zip(row["word_starts"], row["word_ends"], strict=True)
    ]
    assert [BYTES.decode(t) for t in tokens] == ["Ann", ",", " Bob", ";", " Ann", "."]


def test_a_context_is_cut_at_a_word_and_a_question_at_half_a_row():
    row = SPANS.row(CONTEXT, 12)
    assert shown(row["inputs"]) == "[C]q?[S]Ann,[S]"
    row = SPANS.row({"inputs": "question", "pair": "context"}, 13)
    assert shown(row["inputs"]) == "[C]quest[S][S]"  # no word of the context fits
    assert SPANS.read(row, {"pair": "context"}, logits_of(13)).text == ""
    row = SPANS.row({"inputs": "question", "pair": "a"}, 13)
    assert shown(row["inputs"]) == "[C]question[S]a[S]"


def test_answers_that_are_cut_away_or_not_there_are_counted(caplog):
    rows = SpanRows(BYTES, FRAMING, 3)
    with caplog.at_level(logging.WARNING):
        for _ in range(11):
            made = labelled(rows, 12, **CONTEXT, targets="Bob")
        labelled(rows, **CONTEXT, targets="Eve")
    assert (made["labels"], made["loss_weights"]) == ([0, 0], [1, 1])
    assert [record.getMessage() for record in caplog.records] == [
        "1 of 1 answers are cut away with the end of the context, and trained as no answer",
        "10 of 10 answers are cut away with the end of the context, and trained as no answer",
        "1 of 12 answers are no words of the context, and left out",
    ]


def test_the_best_span():
    row = SPANS.row(CONTEXT, 99)

    def answer(*spans):
        return SPANS.read(row, CONTEXT, logits_of(25, *spans)).text

    assert answer((8, 11, 5.0)) == "Bob"
    assert answer((8, 16, 5.0)) == "Bob; Ann"
    assert answer((8, 16, 5.0), (0, 0, 6.0)) == ""
    assert answer((16, 8, 5.0), (4, 7, 3.0)) == "Ann,"  # an end is not before its start
    assert answer((4, 16, 5.0), (8, 11, 3.0)) != "Ann, Bob; Ann"  # five words are too many
    assert answer((1, 2, 9.0), (8, 11, 5.0)) == "Bob"  # the question is no answer
    assert answer((22, 24, 9.0), (8, 11, 5.0)) == "Bob"  # nor is padding


def test_scores_of_spans_are_log_probabilities_over_the_row():
    row = SPANS.row(CONTEXT, 99)
    logits = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
    reading = SPANS.read(row, CONTEXT, logits)
    own = logits[: len(row["inputs"])].astype(float)
    probabilities = np.exp(own) / np.exp(own).sum(0)
    pairs = [
        probabilities[row["word_starts"][i], 0] * probabilities[row["word_ends"][j], 1]
        for i in range(6)
        for j in range(i, min(i + 3, 6))
    ]
    assert reading.score == pytest.approx(np.log(max(*pairs, probabilities[0].prod())))


def plain_task(name="t", **changes):
    texts = Feature(BYTES, add_eos=False)
    fields = {
        "source": InMemoryDataSource({"train": [{"a": "x", "b": "y", "l": "yes"}]}),
        "output_features": {"inputs": texts, "pair": texts, "targets": Feature(LABELS)},
        "preprocessors": (rekey({"inputs": "a", "pair": "b", "targets": "l"}),),
    }
    return Task(name, **(fields | changes))


def test_a_task_ends_in_rows():
    task = with_rows(plain_task(), PairClassRows(BYTES, FRAMING, LABELS))
    examples = EvaluationSet(task, "train", {"inputs": 9, "targets": 1})
    (example,) = examples.examples
    assert shown(example["inputs"]) == "[C]x[S]y[S]"
    assert {name: x.tolist() for name, x in example.items() if name != "inputs"} == {
        "targets": [1],
        "token_types": [0, 0, 0, 1, 1],
        "labels": [1],
        "loss_weights": [1],
    }
    (text,) = examples.texts()
    assert (text["inputs_pretokenized"], text["pair"], text["targets"]) == ("x", "y", "yes")


def test_an_unknown_label_is_named_with_its_task():
    source = InMemoryDataSource({"train": [{"a": "x", "b": "y", "l": "yess"}]})
    task = with_rows(plain_task(source=source), PairClassRows(BYTES, FRAMING, LABELS))
    message = "Task 't': .*'yess' is none of the labels 'no', 'yes'. Did you mean 'yes'"
    with pytest.raises(UserError, match=message):
        EvaluationSet(task, "train", {"inputs": 9, "targets": 1}).examples  # noqa: B018


def test_mixtures_keep_their_parts():
    rows, one, two = ClassRows(BYTES, FRAMING, LABELS), plain_task("one"), plain_task("two")
    mixture = Mixture("m", [(one, 1.0), (Mixture("n", [(one, 2.0), (two, 1.0)]), 3.0)])
    made = with_rows(mixture, rows)
    assert [task.name for task in made.tasks] == ["one", "two"]
    assert all(task.preprocessors[-1] is rows for task in made.tasks)
    assert [rate for _, rate in made.parts] == [1.0, 3.0]


def test_tasks_of_tokens_are_refused():
    rows, text = ClassRows(BYTES, FRAMING, LABELS), Feature(ByteVocabulary(100))
    task = plain_task(preprocessors=(CacheDatasetPlaceholder(),))
    with pytest.raises(UserError, match="Task 't' has a CacheDatasetPlaceholder"):
        with_rows(task, rows)
    features = {"inputs": text, "targets": text}
    task = plain_task(objective=SpanCorruption(), output_features=features, preprocessors=())
    with pytest.raises(UserError, match="Task 't' has the objective SpanCorruption"):
        with_rows(task, rows)
