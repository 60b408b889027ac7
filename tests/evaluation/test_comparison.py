"""The paired bootstrap: known answers, and how often it is wrong where there is nothing to find."""

import dataclasses
import math

import numpy as np
import pytest

from t2t.data.sources import InMemoryDataSource
from t2t.data.tasks import Task
from t2t.evaluation.comparison import compare_records, differing
from t2t.evaluation.metrics import bleu, exact_match, matthews_corrcoef

RNG = np.random.default_rng(0)


def records(right, **fields):
    return [
        {
            "number": i,
            "inputs": f"q{i}",
            "targets": "a",
            "metrics": {"exact_match": float(r)},
            **{name: values[i] for name, values in fields.items()},
        }
        for i, r in enumerate(right)
    ]


def by_name(differences):
    return {difference.metric: difference for difference in differences}


def test_differences_of_means_by_hand():
    first, second = RNG.random(400) < 0.6, RNG.random(400) < 0.75
    found = by_name(compare_records(records(first), records(second)))["exact_match"]
    changes = second.astype(float) - first
    assert (found.first, found.second) == (first.mean(), second.mean())
    error = changes.std() / math.sqrt(400)
    assert found.interval.low == pytest.approx(changes.mean() - 1.96 * error, abs=0.1 * error)
    assert found.interval.high == pytest.approx(changes.mean() + 1.96 * error, abs=0.1 * error)
    assert found.better > 0.999
    assert found.p_value < 0.001
    assert found.wins == (changes > 0).sum()
    assert found.losses == (changes < 0).sum()
    assert found.ties == (changes == 0).sum()
    back = by_name(compare_records(records(second), records(first)))["exact_match"]
    assert (back.interval.low, back.wins) == (-found.interval.high, found.losses)
    assert back.better == pytest.approx(1 - found.better)


def test_a_lower_loss_is_better_and_counts_tokens():
    tokens = RNG.integers(1, 9, 100)
    worse, better = (-RNG.random(100) * tokens * scale for scale in (1.0, 0.5))
    correct = np.zeros(100, int)
    sides = [
        records(correct, score=score.tolist(), tokens=tokens.tolist(), correct=correct.tolist())
        for score in (worse, better)
    ]
    found = by_name(compare_records(*sides))
    loss = found["loss"]
    assert loss.first == pytest.approx(-worse.sum() / tokens.sum())
    assert loss.second < loss.first
    assert loss.better > 0.99
    assert loss.wins > loss.losses
    assert found["token_accuracy"].p_value == 1.0
    assert found["token_accuracy"].ties == 100


def test_the_same_model_twice():
    found = compare_records(records([1, 0] * 20), records([1, 0] * 20))
    (difference,) = found
    assert (difference.interval.low, difference.interval.high) == (0, 0)
    assert (difference.better, difference.p_value, difference.ties) == (0.5, 1.0, 40)


def test_about_5_percent_of_intervals_leave_zero_out_where_nothing_differs():
    rng = np.random.default_rng(5)
    excluded = 0
    for _ in range(400):
        hardness = rng.random(150)
        first, second = (rng.random(150) < hardness for _ in range(2))
        (found,) = compare_records(records(first), records(second), samples=300)
        excluded += not found.interval.low <= 0 <= found.interval.high
    assert 0.02 < excluded / 400 < 0.085  # 0.05 within three standard errors


def test_other_metrics_by_the_task(byte_features):
    source = InMemoryDataSource({"train": [{}]})
    task = Task("t", source, byte_features, metric_fns=(exact_match, matthews_corrcoef))
    labels = RNG.integers(0, 2, 80)
    sides = []
    for share in (0.6, 0.9):
        guesses = np.where(RNG.random(80) < share, labels, 1 - labels)
        values = {"target_value": labels.tolist(), "prediction_value": guesses.tolist()}
        sides.append(records(labels == guesses, prediction=["x"] * 80, **values))
    without = by_name(compare_records(*sides))
    found = by_name(compare_records(*sides, task))
    assert list(without) == ["exact_match"]
    assert found["exact_match"] == without["exact_match"]
    matthews = found["matthews_corrcoef"]
    for side, value in zip(sides, (matthews.first, matthews.second), strict=True):
        predicted = [record["prediction_value"] for record in side]
        assert value == pytest.approx(matthews_corrcoef(labels, predicted)["matthews_corrcoef"])
    assert matthews.interval.low > 0
    assert matthews.p_value < 2 / 1000  # of 10,000 draws
    assert matthews.wins is None

    # By hand: the difference of both on every draw, and its percentiles.
    rng = np.random.default_rng(1)
    changes = []
    for _ in range(500):
        drawn = rng.integers(80, size=80)
        one, other = (
            matthews_corrcoef(labels[drawn], [side[i]["prediction_value"] for i in drawn])
            for side in sides
        )
        changes.append(other["matthews_corrcoef"] - one["matthews_corrcoef"])
    low, high = np.quantile(changes, [0.025, 0.975])
    assert matthews.interval.low == pytest.approx(low, abs=4)
    assert matthews.interval.high == pytest.approx(high, abs=4)


def test_pairs_find_what_two_intervals_do_not(byte_features):
    """Koehn's point: sentences differ much more than systems do."""
    source = InMemoryDataSource({"train": [{}]})
    task = Task("t", source, byte_features, metric_fns=(bleu,))
    words = [f"w{i}" for i in range(50)]
    texts = [" ".join(RNG.choice(words, 8)) for _ in range(60)]
    noise = RNG.random(60)
    sides = []
    for extra in (0.1, 0.0):
        outputs = [
            " ".join(w if RNG.random() > n / 2 + extra else "x" for w in text.split())
            for n, text in zip(noise, texts, strict=True)
        ]
        sides.append(
            [
                {"number": i, "targets": t, "prediction": o}
                for i, (t, o) in enumerate(zip(texts, outputs, strict=True))
            ]
        )
    (found,) = compare_records(*sides, task, samples=1000)
    assert found.metric == "bleu"
    assert found.second > found.first
    assert found.better > 0.9


def test_how_examples_differ():
    same = records([1, 0])
    assert differing(same, records([0, 0])) == ""
    assert differing(same, same[:1]) == "2 examples and 1"
    other = [same[0], dict(same[1], targets="b" * 99)]
    assert differing(same, other).startswith("'targets' of example 1 is 'a' and 'bbb")


def test_what_cannot_be_compared_is_left_out(byte_features, caplog):
    source = InMemoryDataSource({"train": [{}]})
    task = Task("t", source, byte_features, (), metric_fns=(bleu,), postprocess_fn=print)
    sides = [
        records([1, 0], score=[-1.0] * 2, correct=[0] * 2, tokens=tokens, prediction=["a"] * 2)
        for tokens in ([3, 4], [1, 1])
    ]
    found = compare_records(*sides, task)
    assert [difference.metric for difference in found] == ["exact_match"]
    assert "the models count tokens differently" in caplog.text
    assert "the files do not hold what 't' compares" in caplog.text


def test_undefined_metrics(byte_features):
    source = InMemoryDataSource({"train": [{}]})

    def never(targets, predictions):
        return {"never": math.nan}

    task = Task("t", source, byte_features, metric_fns=(never,))
    sides = [[{"number": 0, "targets": "a", "prediction": "b"}]] * 2
    (found,) = compare_records(*sides, task)
    assert math.isnan(found.p_value)
    assert dataclasses.asdict(found)["metric"] == "never"
