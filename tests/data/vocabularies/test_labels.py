"""Labels to ids and back, and what is said of a label that is none."""

import pickle

import pytest

from t2t.data.vocabularies import LabelVocabulary
from t2t.errors import UserError

LABELS = LabelVocabulary(("entailment", "not entailment", "neutral"))
TAGS = LabelVocabulary(("DT", "NNP", "VB"))


def test_ids_are_places_in_the_order_given():
    assert LABELS.vocab_size == 3
    for i, label in enumerate(LABELS.labels):
        assert LABELS.encode(f" {label}\n") == [i]
        assert LABELS.decode([i]) == label
        assert LABELS.token_id(label) == LABELS.label_id(label) == i


def test_tags_of_words():
    assert TAGS.encode("DT NNP  VB\tNNP") == [0, 1, 2, 1]
    assert TAGS.decode([0, 1, 2, 1]) == "DT NNP VB NNP"
    assert TAGS.encode("") == []
    assert TAGS.readable([0, 1]) == "DT NNP"


@pytest.mark.parametrize(
    ("vocabulary", "text", "message"),
    [
        (LABELS, "not entailed", "'not entailed' is none .* Did you mean 'not entailment'"),
        (LABELS, "neutrl", "'neutrl' is none of the labels .*Did you mean 'neutral'"),
        (TAGS, "DT NN VB", "'NN' is none of the labels 'DT', 'NNP', 'VB'. Did you mean 'NNP'"),
    ],
)
def test_what_is_no_label(vocabulary, text, message):
    with pytest.raises(UserError, match=message):
        vocabulary.encode(text)


def test_many_labels_are_not_all_listed():
    many = LabelVocabulary([f"label{i}" for i in range(40)])
    with pytest.raises(UserError, match=r"'label11' and 28 more\."):
        many.encode("quite different")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("yes", "takes a tuple of labels"),
        ((0, 1), "takes a tuple of labels"),
        (("yes",), "two labels or more"),
        (("yes", "no", "yes"), "'yes' twice"),
        (("yes", ""), "'' is no label"),
        (("yes", " no"), "' no' is no label"),
    ],
)
def test_bad_labels(labels, message):
    with pytest.raises(UserError, match=message):
        LabelVocabulary(labels)


def test_equal_if_labels_and_order_are():
    assert pickle.loads(pickle.dumps(TAGS)) == TAGS
    assert LabelVocabulary(("NN", "DT", "VB")) != TAGS
    assert LabelVocabulary(("a b", "c")) != LabelVocabulary(("a", "b c"))
