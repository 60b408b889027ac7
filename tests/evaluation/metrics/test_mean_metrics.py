"""What all means over examples have in common."""

import functools

import numpy as np
import pytest

from t2t.errors import UserError
from t2t.evaluation import metrics

WORDS = ["a cat sat", "the dog . It ran", "two words", "one", "x y z", "far too long"]
TEXTS = ["a cat", "the dog . It ran", "words two", "two", "", "far too long a text"]
LABELS = [0, 1, 2, 1, 0, 2]
GUESSES = [0, 1, 1, -1, 0, 2]
ANSWERS = [[word, "else"] for word in WORDS]
SPANS = [{"answers": answers, "context": "a b c d"} for answers in ANSWERS]
GROUPS = [{"group": i % 3, "value": answers} for i, answers in enumerate(ANSWERS)]
FIRST_OF_GROUP = metrics.deduplicate_metric(metrics.squad)

CASES = [
    (metrics.exact_match, WORDS, TEXTS),
    (metrics.accuracy, LABELS, GUESSES),
    (metrics.sequence_accuracy, WORDS, TEXTS),
    (metrics.squad, ANSWERS, TEXTS),
    (metrics.trivia_qa, ANSWERS, TEXTS),
    (metrics.coqa_f1, ANSWERS, TEXTS),
    (metrics.span_squad, SPANS, ["start: 0 end: 1"] * 6),
    (metrics.rouge_mean, WORDS, TEXTS),
    (metrics.rouge, WORDS, TEXTS),
    (metrics.edit_distance, WORDS, TEXTS),
    (metrics.mean_group_metric(metrics.squad), GROUPS, [{"value": t} for t in TEXTS]),
    (FIRST_OF_GROUP, GROUPS, [{"value": t} for t in TEXTS]),
]
each_metric = pytest.mark.parametrize(
    ("metric", "targets", "predictions"), CASES, ids=lambda value: getattr(value, "__name__", "")
)


@each_metric
def test_means_of_values_per_example(metric, targets, predictions):
    values = metric.per_example(targets, predictions)
    result = metric(targets, predictions)
    assert set(values) <= set(result)
    for name, array in values.items():
        assert array.dtype == np.float64
        assert array.ndim == 1
        assert 1 < len(array) <= 6
        if metric is not metrics.rouge:  # a median of bootstrapped means
            assert result[name] == pytest.approx(array.mean())
    assert all(type(value) is float for value in result.values())


@each_metric
def test_the_order_of_examples_does_not_matter(metric, targets, predictions):
    if metric in (metrics.rouge, FIRST_OF_GROUP):
        return  # what is drawn, and which are the first examples of a group, depends on it
    order = [3, 1, 5, 0, 4, 2]
    shuffled = metric([targets[i] for i in order], [predictions[i] for i in order])
    assert shuffled == pytest.approx(metric(targets, predictions))


@each_metric
def test_numbers_of_examples(metric, targets, predictions):
    with pytest.raises(UserError, match="was given 6 targets and 5 predictions"):
        metric(targets, predictions[:5])
    with pytest.raises(UserError, match="was given no examples"):
        metric([], [])


def test_a_new_one_is_a_function_of_values():
    @metrics.mean_metric
    def same_length(targets, predictions, weight=1.0):
        """Doc."""
        return {"same": [weight * (len(t) == len(p)) for t, p in zip(targets, predictions)]}  # noqa: B905

    assert same_length(["ab", "c"], ["xy", ""]) == {"same": 0.5}
    assert same_length(["ab", "c"], ["xy", ""], weight=100.0) == {"same": 50.0}
    assert functools.partial(same_length, weight=4.0)(["a"], ["b"]) == {"same": 4.0}
    assert (same_length.__name__, same_length.__doc__) == ("same_length", "Doc.")
    upper = same_length.after(
        lambda targets, predictions: (targets[:1], predictions[:1]), lambda targets: [0]
    )
    assert upper(["ab", "c"], ["xy", ""]) == {"same": 1.0}
    with pytest.raises(UserError, match=r"metric .*\.same_length was given"):
        same_length(["a"], [])
