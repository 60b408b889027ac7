import math

import numpy as np
import pytest

from t2t.errors import UserError
from t2t.evaluation.confidence import Interval, bootstrap_interval, bootstrap_metric
from t2t.evaluation.metrics import exact_match, pearson_corrcoef

VALUES = np.random.default_rng(0).random(200)


def test_it_agrees_with_the_normal_approximation():
    interval = bootstrap_interval(VALUES, seed=0, samples=4000)
    half_width = 1.96 * VALUES.std() / math.sqrt(len(VALUES))
    assert interval.low == pytest.approx(VALUES.mean() - half_width, abs=0.1 * half_width)
    assert interval.high == pytest.approx(VALUES.mean() + half_width, abs=0.1 * half_width)


def test_95_percent_of_intervals_hold_the_true_mean():
    data = np.random.default_rng(1).random((400, 200)) < 0.7
    intervals = [bootstrap_interval(row, seed, samples=200) for seed, row in enumerate(data)]
    coverage = np.mean([i.low <= 0.7 <= i.high for i in intervals])
    assert 0.91 < coverage < 0.975  # 0.95 within three standard errors, and 200 samples' noise


def test_seed_and_order_of_draws():
    first, again, other = (bootstrap_interval(VALUES, seed) for seed in (3, 3, 4))
    assert first == again
    assert first != other
    assert bootstrap_interval([1.0] * 5, 0) == Interval(1.0, 1.0)


def test_a_wider_level_is_a_wider_interval():
    narrow, wide = (bootstrap_interval(VALUES, 0, level=level) for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_many_values_are_drawn_in_parts(monkeypatch):
    whole = bootstrap_interval(VALUES, 0)
    monkeypatch.setattr("t2t.evaluation.resampling._ELEMENTS", 1000)
    assert bootstrap_interval(VALUES, 0) == whole


def test_weights_are_those_of_repeated_values():
    values, weights = np.array([1.0, 4.0]), np.array([3, 1])
    interval = bootstrap_interval(values, 0, weights=weights, samples=4000)
    assert interval == Interval(1.0, 4.0)  # the outermost draws are (1, 1) and (4, 4)
    middle = bootstrap_interval(values, 0, weights=weights, level=0.4, samples=4000)
    assert middle == Interval(1.75, 1.75, level=0.4)  # half of the draws have both: (3 * 1 + 4) / 4


def test_draws_without_weight_do_not_count():
    interval = bootstrap_interval([5.0, 9.0], 0, weights=[1.0, 0.0])
    assert interval == Interval(5.0, 5.0)


def test_metrics_of_a_corpus_draw_pairs():
    targets = np.arange(30) % 2
    predictions = np.where(np.arange(30) < 20, targets, 1 - targets)
    [(name, interval)] = bootstrap_metric(exact_match, targets, predictions, 0).items()
    assert name == "exact_match"
    mean = bootstrap_interval(targets == predictions, 0)
    assert interval.low == pytest.approx(mean.low, abs=0.05)
    assert interval.high == pytest.approx(mean.high, abs=0.05)
    assert bootstrap_metric(exact_match, ["a"], ["a"], 0, samples=5)["exact_match"].low == 1.0


def test_undefined_draws_and_metrics():
    found = bootstrap_metric(pearson_corrcoef, [1, 2, 3], [1, 2, 3], 0, samples=50)
    assert found["pearson_corrcoef"].low == pytest.approx(100)
    found = bootstrap_metric(pearson_corrcoef, [1, 1], [1, 2], 0, samples=5)
    assert math.isnan(found["pearson_corrcoef"].low)


def test_shown_to_three_decimals():
    assert f"{0.674:.3f} {Interval(0.6449, 0.70312)}" == "0.674 [0.645, 0.703]"


def test_bad_arguments():
    with pytest.raises(UserError, match="no interval without examples"):
        bootstrap_interval([], 0)
    with pytest.raises(UserError, match="level 95"):
        bootstrap_interval([1.0], 0, level=95)
    with pytest.raises(UserError, match="0 samples"):
        bootstrap_interval([1.0], 0, samples=0)
    with pytest.raises(UserError, match="2 targets for 1 predictions"):
        bootstrap_metric(exact_match, [1, 2], [1], 0)
