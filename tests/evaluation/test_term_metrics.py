import numpy as np
import pytest

from t2t.evaluation.confidence import intervals
from t2t.evaluation.term_metrics import term_metrics

MAIN = {
    "loss": np.array([2.0, 4.0, 0.0]),
    "tokens": np.array([1.0, 3.0, 0.0]),
    "correct": np.array([1.0, 1.0, 0.0]),
}
PAIR = {
    "pair/weight": np.array([1.0, 1.0, 2.0]),
    "pair/loss": np.array([0.5, 0.25, 0.25]),
    "pair/accuracy": np.array([0.0, 1.0, 2.0]),
    "pair/replaced": np.array([1.0, 0.0, 0.0]),
}


def test_means_are_over_items_not_over_examples():
    metrics, resamplings = term_metrics(MAIN | PAIR)
    found = intervals(resamplings, seed=0)
    assert metrics == pytest.approx(
        {
            "loss": 6 / 4,
            "token_accuracy": 2 / 4,
            "pair_loss": 1 / 4,
            "pair_accuracy": 3 / 4,
            "pair_replaced": 1 / 4,
        }
    )
    assert found.keys() == metrics.keys()
    for name, interval in found.items():
        assert interval.low <= metrics[name] <= interval.high


def test_a_main_term_without_items_is_left_out():
    nothing = {name: np.zeros(3) for name in MAIN}
    assert set(term_metrics(nothing | PAIR)[0]) == {
        "pair_loss",
        "pair_accuracy",
        "pair_replaced",
    }


def test_terms_without_items_are_left_out():
    nothing = {name: np.zeros(3) for name in PAIR}
    assert set(term_metrics(MAIN | nothing)[0]) == {"loss", "token_accuracy"}
