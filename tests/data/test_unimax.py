"""UniMax, against the water level that it amounts to."""

import numpy as np
import pytest

from t2t.data.features import Feature
from t2t.data.mixtures import Mixture, mixing_rates
from t2t.data.registry import TaskRegistry
from t2t.data.sources import InMemoryDataSource
from t2t.data.tasks import Task
from t2t.data.unimax import UniMax, unimax
from t2t.data.vocabularies import ByteVocabulary
from t2t.errors import UserError


@pytest.mark.parametrize(
    ("budget", "epochs", "shares"),
    [
        (30, 1, [10, 10, 10]),  # all can have a third
        (60, 1, [10, 25, 25]),  # a can not
        (90, 1, [10, 30, 50]),
        (60, 2, [20, 20, 20]),
        (1000, 1, [10, 30, 500]),  # more than there is
    ],
)
def test_known_answers(budget, epochs, shares):
    found = unimax({"c": 500, "a": 10, "b": 30}, budget, epochs)
    assert found == pytest.approx(
        {name: s / sum(shares) for name, s in zip("abc", shares, strict=True)}
    )
    assert list(found) == ["c", "a", "b"]


def test_it_is_a_level_up_to_which_all_are_filled():
    rng = np.random.default_rng(0)
    for _ in range(20):
        sizes = rng.lognormal(3, 2, 50)
        budget = 0.5 * sizes.sum()
        low, high = 0.0, budget
        for _ in range(100):
            level = (low + high) / 2
            low, high = (level, high) if np.minimum(sizes, level).sum() < budget else (low, level)
        expected = np.minimum(sizes, low) / budget
        found = unimax({str(i): size for i, size in enumerate(sizes)}, budget)
        np.testing.assert_allclose(list(found.values()), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("sizes", "budget", "epochs"),
    [({}, 1, 1), ({"a": 0}, 1, 1), ({"a": 1}, 0, 1), ({"a": 1}, 1, 0)],
)
def test_nothing_to_share_out_is_an_error(sizes, budget, epochs):
    with pytest.raises(UserError, match="needs sizes, a budget and max_epochs above 0"):
        unimax(sizes, budget, epochs)


def test_as_the_rate_of_a_mixture(monkeypatch):
    feature = {"targets": Feature(ByteVocabulary())}
    tasks = {
        name: Task(name, InMemoryDataSource({"train": [{"targets": "x"}] * size}), feature)
        for name, size in {"small": 10, "large": 90}.items()
    }
    monkeypatch.setattr(TaskRegistry, "_items", tasks)
    rate = UniMax(list(tasks), budget=60)
    mixture = Mixture("unimax", [(task, rate) for task in tasks.values()])
    assert mixing_rates(mixture) == pytest.approx({"small": 10 / 60, "large": 50 / 60})
    letters = UniMax(["small"], budget=1, size=lambda task: 1.0)
    with pytest.raises(UserError, match="not told of the task 'large'"):
        letters(tasks["large"])
