import json
import time

import jax.numpy as jnp
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.training.throughput import StepLog


def metrics(loss=(2.0, 4.0), tokens=(2.0, 1.0), correct=1.0, grad_norm=0.5):
    return {
        "loss": jnp.array(loss),
        "tokens": jnp.array(tokens),
        "correct": jnp.array(correct),
        "grad_norm": jnp.array(grad_norm),
        "update_norm": jnp.array(0.1),
        "param_norm": jnp.array(3.0),
    }


@pytest.fixture
def log():
    return StepLog(("a", "b"), lambda step: 0.1 * step)


def test_averages_are_per_token_over_all_steps(log, tmp_path):
    log.add(metrics())
    log.add(metrics(loss=(1.0, 0.0), tokens=(3.0, 0.0), correct=2.0))
    values = log.flush(2, tmp_path)
    assert values["train/loss"] == pytest.approx(7 / 6)
    assert values["train/a/loss"] == pytest.approx(3 / 5)
    assert values["train/b/loss"] == pytest.approx(4.0)
    assert values["train/token_accuracy"] == pytest.approx(3 / 6)
    assert values["train/a/target_tokens"] == 5
    assert values["train/learning_rate"] == pytest.approx(0.1)  # that of update 2, after 1 update


def test_a_task_that_was_not_drawn_has_no_loss(log, tmp_path):
    log.add(metrics(loss=(2.0, 0.0), tokens=(2.0, 0.0)))
    values = log.flush(1, tmp_path)
    assert "train/b/loss" not in values
    assert values["train/b/target_tokens"] == 0


def test_steps_without_targets_have_no_loss(log, tmp_path):
    log.add(metrics(loss=(0.0, 0.0), tokens=(0.0, 0.0), correct=0.0))
    values = log.flush(1, tmp_path)
    assert not [name for name in values if name.endswith(("loss", "accuracy"))]
    assert np.isfinite(list(values.values())).all()


def test_other_terms_are_means_over_their_own_items(log, tmp_path):
    def pair(weight, loss, accuracy):
        sums = {"weight": weight, "loss": loss, "accuracy": accuracy}
        return {f"sentence/{name}": jnp.array(value) for name, value in sums.items()}

    log.add(metrics() | pair(2.0, 3.0, 1.0))
    log.add(metrics() | pair(6.0, 1.0, 5.0))
    values = log.flush(2, tmp_path)
    assert values["train/sentence/loss"] == pytest.approx(4 / 8)
    assert values["train/sentence/accuracy"] == pytest.approx(6 / 8)
    assert "train/sentence/weight" not in values
    log.add(metrics() | pair(0.0, 0.0, 0.0))
    assert not any("sentence" in name for name in log.flush(3, tmp_path))


@pytest.mark.parametrize("bad", [{"loss": (np.nan, 1.0)}, {"grad_norm": np.inf}])
def test_what_is_not_finite_stops_at_its_step(log, tmp_path, bad):
    log.add(metrics())
    log.add(metrics(**bad))
    log.add(metrics())
    with pytest.raises(UserError, match="NaN or infinite at step 12 "):
        log.flush(13, tmp_path)


def test_an_interruption_does_not_change_the_averages(log, tmp_path):
    """A third, which floats of 32 bits round, before and after the interruption."""
    steps = [
        metrics(loss=(1 / 3, 0.1 * n), tokens=(n, 3), grad_norm=np.float32(n) / 7) for n in (1, 2)
    ]
    for step in steps:
        log.add(step)
    stored = json.loads(json.dumps(log.unlogged(2, tmp_path)))
    resumed = StepLog(("a", "b"), lambda step: 0.1 * step, stored)
    for one in (log, resumed):
        one.add(metrics())
    whole, after = log.flush(3, tmp_path), resumed.flush(3, tmp_path)
    timing = {"train/target_tokens_per_second", "train/steps_per_second"}
    assert {n: v for n, v in after.items() if n not in timing} == {
        n: v for n, v in whole.items() if n not in timing
    }
    assert set(whole) == set(after)
    assert not resumed.unlogged(3, tmp_path)


def test_steps_before_an_interruption_do_not_count_as_done_since(tmp_path):
    before = StepLog(("a", "b"), lambda step: 0.1)
    for _ in range(10_000):
        before.add({name: np.asarray(value) for name, value in metrics().items()})
    resumed = StepLog(("a", "b"), lambda step: 0.1, before.unlogged(10_000, tmp_path))
    time.sleep(0.1)
    resumed.add(metrics())
    values = resumed.flush(10_001, tmp_path)
    assert values["train/steps_per_second"] < 1 / 0.1
    assert values["train/target_tokens_per_second"] < 3 / 0.1


def test_paused_time_does_not_count(log, tmp_path):
    log.add(metrics())
    with log.paused():
        time.sleep(0.3)
    assert log.flush(1, tmp_path)["train/steps_per_second"] > 1 / 0.3
