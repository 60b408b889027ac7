"""The quick ways to draw examples anew against computing each metric on what was drawn."""

import dataclasses
import functools
import math

import numpy as np
import pytest

from t2t.data.sources import InMemoryDataSource
from t2t.data.tasks import Task
from t2t.evaluation import metrics
from t2t.evaluation.confidence import bootstrap_metric, intervals
from t2t.evaluation.metrics.natural_instructions import instruction_rouge_by_category
from t2t.evaluation.resampling import SAMPLES, draws, of_function, resample
from t2t.evaluation.task_metrics import task_metrics

RNG = np.random.default_rng(0)
N = 40
LABELS, GUESSES = RNG.integers(0, 2, N).tolist(), RNG.integers(-1, 2, N).tolist()
THREE, OF_THREE = RNG.integers(0, 3, N).tolist(), RNG.integers(-1, 3, N).tolist()
NUMBERS = RNG.integers(0, 9, N).astype(float).tolist()
NEAR = [float(x) for x in np.round(np.array(NUMBERS) + RNG.normal(0, 3, N))]
WORDS = [f"word{i}" for i in range(11)]
TEXTS = [" ".join(RNG.choice(WORDS, 9)) for _ in range(N)]
OUTPUTS = [" ".join(w if RNG.random() < 0.8 else "dog" for w in text.split()) for text in TEXTS]
REFERENCES = [[text, *([f"{text} too"] if i % 3 else [])] for i, text in enumerate(TEXTS)]
CATEGORIES = [{"value": [x], "category": f"c{i % 3 or ''}"} for i, x in enumerate(TEXTS)]
SCORES = RNG.normal(-5, 2, N).round(1).tolist()


@pytest.mark.parametrize(
    ("metric", "targets", "outputs"),
    [
        (metrics.accuracy, THREE, OF_THREE),
        (metrics.f1_score_with_invalid, LABELS, GUESSES),
        (metrics.matthews_corrcoef, THREE, OF_THREE),
        (metrics.mean_multiclass_f1(3), THREE, OF_THREE),
        (metrics.pearson_corrcoef, NUMBERS, NEAR),
        (metrics.spearman_corrcoef, NUMBERS, NEAR),
        (metrics.bleu, TEXTS, OUTPUTS),
        (functools.partial(metrics.bleu, tokenizer="char"), REFERENCES, OUTPUTS),
        (metrics.edit_distance, TEXTS, OUTPUTS),
        (instruction_rouge_by_category, CATEGORIES, [{"value": text} for text in OUTPUTS]),
        (metrics.auc, LABELS, SCORES),
        (functools.partial(metrics.score_auc, targets_threshold=4.0), NUMBERS, SCORES),
        (metrics.sklearn_metrics_wrapper("balanced_accuracy_score"), LABELS, np.abs(GUESSES)),
    ],
    ids=lambda x: getattr(x, "__name__", "") or None,
)
def test_quick_draws_are_those_of_the_metric_itself(metric, targets, outputs, byte_features):
    source = InMemoryDataSource({"train": [{}]})
    task = Task("t", source, byte_features, metric_fns=(metric,))
    outputs = list(outputs)
    kind = "score" if "score_auc" in str(metric) else "predict"
    found = task_metrics(task, targets, {kind: outputs})
    (resampling,) = found.resamplings

    def compute(drawn):
        return metric([targets[i] for i in drawn], [outputs[i] for i in drawn])

    assert found.metrics == pytest.approx(compute(range(N)))
    assert resampling.value() == pytest.approx(found.metrics)
    (counts,) = draws(N, 25, np.random.default_rng(1))
    values = resampling.compute(counts)
    for row, drawn in enumerate(counts.astype(int)):
        expected = compute(np.repeat(np.arange(N), drawn).tolist())
        assert {n: v[row] for n, v in values.items()} == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("odd", [math.nan, math.inf])
@pytest.mark.parametrize("metric", [metrics.pearson_corrcoef, metrics.spearman_corrcoef])
def test_correlations_of_numbers_that_are_not_finite_are_undefined(metric, odd):
    (value,) = metric.resampling([1, 2, 3], [1, 2, odd]).value().values()
    assert math.isnan(value)


def test_intervals_are_those_of_brute_force():
    """Of the same draws, since a seed tells them."""
    brute = bootstrap_metric(metrics.matthews_corrcoef, THREE, OF_THREE, 3, samples=200)
    resampling = metrics.matthews_corrcoef.resampling(THREE, OF_THREE)
    quick = intervals([dataclasses.replace(resampling, samples=200)], 3)
    for end in ("low", "high"):
        mine, theirs = (getattr(x["matthews_corrcoef"], end) for x in (quick, brute))
        assert mine == pytest.approx(theirs)


@pytest.mark.parametrize("num_classes", [2, 3, None])
@pytest.mark.parametrize("normalize", [False, True])
def test_ranking_draws_whole_examples(num_classes, normalize):
    classes = num_classes or 3
    targets = [
        ((i, c), c == (i * i) % classes, 1.0 + i % 3, 2 + c)
        for i in range(12)
        for c in range(classes)
    ]
    scores = np.random.default_rng(2).normal(-9, 3, len(targets)).tolist()
    options = {"num_classes": num_classes, "normalize_by_target_length": normalize}
    resampling = metrics.rank_classification.resampling(targets, scores, **options)
    assert resampling.units == 12
    assert resampling.value() == pytest.approx(
        metrics.rank_classification(targets, scores, **options), nan_ok=True
    )
    (counts,) = draws(12, 20, np.random.default_rng(1))
    values = resampling.compute(counts)
    for row, drawn in enumerate(counts.astype(int)):
        some, their = [], []
        for new, i in enumerate(np.repeat(np.arange(12), drawn).tolist()):
            for c in range(classes):
                (_, number), *rest = targets[i * classes + c]
                some.append(((new, number), *rest))
                their.append(scores[i * classes + c])
        expected = metrics.rank_classification(some, their, **options)
        assert {n: v[row] for n, v in values.items()} == pytest.approx(expected, nan_ok=True)


GROUPED = [{"group": f"q{i // 3}", "value": LABELS[i]} for i in range(30)]
ANSWERED = [{"value": GUESSES[i]} for i in range(30)]


def test_questions_are_drawn_with_all_their_answers(byte_features):
    metric = metrics.multirc_f1_over_all_answers
    resampling = metric.resampling(GROUPED, ANSWERED)
    assert resampling.units == 10
    (counts,) = draws(10, 20, np.random.default_rng(0))
    for row, drawn in enumerate(counts.astype(int)):
        some = [i for q in np.repeat(np.arange(10), drawn) for i in range(3 * q, 3 * q + 3)]
        expected = metric([GROUPED[i] for i in some], [ANSWERED[i] for i in some])
        assert resampling.compute(counts)["f1"][row] == pytest.approx(expected["f1"])

    means = metrics.mean_group_metric(metrics.accuracy)

    def any_metric(targets, predictions):  # of which is not known how it is resampled
        return means(targets, predictions)

    source = InMemoryDataSource({"train": [{}]})
    task = Task("t", source, byte_features, metric_fns=(any_metric,))
    (unknown,) = task_metrics(task, GROUPED, {"predict": ANSWERED}).resamplings
    assert unknown.units == 10
    drawn_twice_counts_twice = counts @ means.per_example(GROUPED, ANSWERED)["accuracy"] / 10
    np.testing.assert_allclose(unknown.compute(counts)["accuracy"], drawn_twice_counts_twice)
    with_each = metrics.mean_group_metric(metrics.accuracy, return_subgroup_scores=True)
    known = with_each.resampling(GROUPED, ANSWERED).compute(counts)
    np.testing.assert_allclose(known["accuracy"], drawn_twice_counts_twice)


def test_means_of_groups_stand_with_the_first_of_each(byte_features):
    grouped = metrics.mean_group_metric(metrics.all_match)
    answers = [{"group": f"q{i % 4}", "value": ["a"]} for i in range(8)]
    assert list(grouped.firsts(answers)) == [0, 1, 2, 3]
    once = metrics.deduplicate_metric(metrics.squad)
    assert list(once.firsts(answers)) == [0, 1, 2, 3]
    assert len(once.per_example(answers, [{"value": "a"}] * 8)["em"]) == 4
    first = metrics.deduplicate_metric(metrics.f1_score_with_invalid).resampling(GROUPED, ANSWERED)
    alone = metrics.f1_score_with_invalid.resampling(LABELS[:30:3], GUESSES[:30:3])
    (counts,) = draws(10, 20, np.random.default_rng(0))
    np.testing.assert_array_equal(first.compute(counts)["f1"], alone.compute(counts)["f1"])


def test_what_is_slow_is_drawn_less_often_and_what_fails_does_not_count():
    def metric(drawn):
        return {"ratio": 1 / (len(set(drawn)) - 5)}

    assert [of_function(metric, range(9), s, 1.0).samples for s in (1e-4, 2e-3, 9e-3, 1.0)] == [
        *SAMPLES,
        0,
    ]
    resampling = of_function(metric, range(9), 0.0)
    (values,) = resample([resampling], 0)
    assert 0 < np.isnan(values["ratio"]).sum() < 1000  # five different ones were drawn
    assert not math.isnan(intervals([resampling], 0)["ratio"].low)
    assert intervals([of_function(metric, range(9), 1.0, 1.0)], 0) == {}
