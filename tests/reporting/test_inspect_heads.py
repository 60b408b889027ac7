"""`t2t inspect --head`: rows as heads read them."""

import pytest

from t2t.data.features import Feature
from t2t.data.vocabularies import ByteVocabulary
from t2t.errors import UserError
from t2t.reporting.inspection import Settings, collect
from t2t.reporting.inspection.terminal import report_lines
from tests.training.labelled import LENGTHS, TASKS, labels


def shown(task, head):
    report = collect(task, Settings("train", LENGTHS, count=1, head=head))
    return [line.plain for line in report_lines(report)], report


def row_of(report):
    [made] = report.tasks[0].traces[0].made
    return made.row


def starting(lines, start):
    return [line for line in lines if line.startswith(start)]


def test_a_text_and_its_class():
    lines, report = shown(TASKS["sentences"], "classes")
    [tokens] = starting(lines, "row     encoder_input_tokens")
    assert tokens.split(": ")[1].startswith("[CLS]/")
    assert tokens.rstrip().split(" ")[-1].startswith("[SEP]/")
    number = ("good", "bad").index(report.tasks[0].traces[0].stages[0].examples[0]["targets"])
    assert f"row     encoder_labels [1]: [{number}]" in lines
    assert starting(lines, "row     encoder_loss_weights") == [
        "row     encoder_loss_weights [1]: [1]"
    ]
    assert starting(lines, "defined at: not registered")
    text = report.tasks[0].traces[0].stages[0].examples[0]["inputs"]
    assert f"text    inputs: {text!r}" in lines


def test_pairs_have_two_types():
    row = row_of(shown(TASKS["pairs"], "classes")[1])
    assert row["encoder_token_types"][:6].tolist() == [0, 0, 0, 1, 1, 0]


def test_tags_stand_at_first_tokens():
    row = row_of(shown(TASKS["tags"], "tags")[1])
    assert row["encoder_labels"].shape == row["encoder_loss_weights"].shape == (32,)
    assert row["encoder_loss_weights"][:2].tolist() == [0, 1]


def test_spans_are_two_columns():
    lines, report = shown(TASKS["spans"], "spans")
    first, last = row_of(report)["encoder_labels"]
    assert 0 <= first <= last < 32
    assert starting(lines, f"row     encoder_labels [2]: [{first}, {last}]")


def refused(name, head, match, **features):
    task = TASKS[name].replace(output_features=TASKS[name].output_features | features)
    with pytest.raises(UserError, match=f"Task '{task.name}': {match}"):
        collect(task, Settings("train", LENGTHS, head=head))


def test_what_a_task_lacks_is_named():
    refused("spans", "classes", "a head is trained on labels, but the vocabulary of")
    refused("sentences", "spans", "this head reads the feature 'pair', but there is only")
    with pytest.raises(UserError, match="'tag' is none of classes, tags, spans"):
        Settings("train", LENGTHS, head="tag")


def test_what_training_refuses_is_refused():
    refused("spans", "spans", "its targets are labels", targets=labels("yes", "no"))
    refused("pairs", "tags", "it has a feature 'pair', but only words of 'inputs' have tags")
    refused("tags", "tags", "the tag 'a b' has a space in it", targets=labels("a b", "c"))
    for name, head in [("pairs", "classes"), ("spans", "spans")]:
        other = Feature(ByteVocabulary(7))
        refused(name, head, "'inputs' and 'pair' are in one row, but have different", pair=other)


def test_what_has_nothing_to_begin_rows_with_is_refused():
    plain = Feature(ByteVocabulary(), add_eos=False)
    for name, head in [("sentences", "classes"), ("spans", "spans"), ("tags", "tags")]:
        features = TASKS[name].output_features
        texts = {feature: plain for feature in features if feature != "targets"}
        task = TASKS[name].replace(output_features={**features, **texts})
        settings = Settings("train", LENGTHS, count=1, head=head)
        if head == "tags":
            assert not collect(task, settings).errors  # it reads no first token
        else:
            with pytest.raises(UserError, match=r"neither a \[CLS\] nor a start of sequence"):
                collect(task, settings)


def test_rows_are_not_measured():
    with pytest.raises(UserError, match="leave out --lengths and --html"):
        Settings("train", LENGTHS, sample=3, head="tags")
