import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.training.throughput import IN_FLIGHT, StepLog


def metrics(loss=(2.0, 4.0), tokens=(2.0, 1.0), correct=1.0, grad_norm=0.5, in_a_row=0):
    return {
        "loss": jnp.array(loss),
        "tokens": jnp.array(tokens),
        "correct": jnp.array(correct),
        "grad_norm": jnp.array(grad_norm),
        "update_norm": jnp.array(0.1),
        "param_norm": jnp.array(3.0),
        "param_norm/encoder": jnp.array(2.0),
        "skipped": jnp.array(2 * in_a_row),
        "in_a_row": jnp.array(in_a_row),
    }


@pytest.fixture
def log():
    return StepLog(("a", "b"), lambda step: 0.1 * step)


def test_averages_are_per_token_over_all_steps(log):
    log.add(metrics())
    log.add(metrics(loss=(1.0, 0.0), tokens=(3.0, 0.0), correct=2.0))
    values = log.flush(2).values
    assert values["train/loss"] == pytest.approx(7 / 6)
    assert values["train/a/loss"] == pytest.approx(3 / 5)
    assert values["train/b/loss"] == pytest.approx(4.0)
    assert values["train/token_accuracy"] == pytest.approx(3 / 6)
    assert values["train/a/target_tokens"] == 5
    assert values["train/param_norm/encoder"] == 2.0
    assert values["train/learning_rate"] == pytest.approx(0.1)  # that of update 2, after 1 update


def test_a_task_that_was_not_drawn_has_no_loss(log):
    log.add(metrics(loss=(2.0, 0.0), tokens=(2.0, 0.0)))
    values = log.flush(1).values
    assert "train/b/loss" not in values
    assert values["train/b/target_tokens"] == 0


def test_steps_without_targets_have_no_loss(log):
    log.add(metrics(loss=(0.0, 0.0), tokens=(0.0, 0.0), correct=0.0))
    values = log.flush(1).values
    assert not [name for name in values if name.endswith(("loss", "accuracy"))]
    assert np.isfinite(list(values.values())).all()


def test_other_terms_are_means_over_their_own_items(log):
    def pair(weight, loss, accuracy):
        sums = {"weight": weight, "loss": loss, "accuracy": accuracy}
        return {f"sentence/{name}": jnp.array(value) for name, value in sums.items()}

    log.add(metrics() | pair(2.0, 3.0, 1.0))
    log.add(metrics() | pair(6.0, 1.0, 5.0))
    values = log.flush(2).values
    assert values["train/sentence/loss"] == pytest.approx(4 / 8)
    assert values["train/sentence/accuracy"] == pytest.approx(6 / 8)
    assert "train/sentence/weight" not in values
    log.add(metrics() | pair(0.0, 0.0, 0.0))
    assert not any("sentence" in name for name in log.flush(3).values)


@pytest.mark.parametrize("bad", [{"loss": (np.nan, 1.0)}, {"grad_norm": np.inf}])
def test_steps_left_out_are_named_and_not_averaged(log, bad):
    log.add(metrics())
    log.add(metrics(**bad, in_a_row=1))
    log.add(metrics(in_a_row=2))
    log.add(metrics() | {"skipped": jnp.array(2)})
    window = log.flush(14)
    assert [(step.step, step.in_a_row) for step in window.left_out] == [(12, 1), (13, 2)]
    assert "step 12 (loss " in str(window.left_out[0])
    assert window.values["train/loss"] == pytest.approx(6 / 3)
    assert window.values["train/a/target_tokens"] == 4
    assert window.values["train/learning_rate"] == pytest.approx(0.1 * 11)  # after 11 updates
    assert (window.steps, window.done, window.skipped, window.target_tokens) == (4, 2, 2, 12)


def test_nothing_is_averaged_if_all_are_left_out(log):
    log.add(metrics(grad_norm=np.nan, in_a_row=1))
    assert log.flush(1).values == {}


def test_an_interruption_does_not_change_the_averages(log):
    """A third, which floats of 32 bits round, before and after the interruption."""
    steps = [
        metrics(loss=(1 / 3, 0.1 * n), tokens=(n, 3), grad_norm=np.float32(n) / 7) for n in (1, 2)
    ]
    steps.append(metrics(loss=(np.nan, np.inf), in_a_row=1))
    for step in steps:
        log.add(step)
    stored = json.loads(json.dumps(log.unlogged()))
    resumed = StepLog(("a", "b"), lambda step: 0.1 * step, stored)
    for one in (log, resumed):
        one.add(metrics())
    whole, after = log.flush(4), resumed.flush(4)
    assert after.values == whole.values
    assert repr(after.left_out) == repr(whole.left_out)  # NaN is not equal to itself
    assert (whole.steps, whole.done, after.steps, after.done) == (4, 3, 1, 1)
    assert after.target_tokens == 3
    assert not resumed.unlogged()


def test_metrics_stored_before_there_was_a_guard_are_of_steps_done(log):
    old = {k: v for k, v in metrics().items() if k not in ("skipped", "in_a_row")}
    log.restart([{k: [np.asarray(v).dtype.str, v.tolist()] for k, v in old.items()}])
    log.add(metrics())
    assert log.flush(2).values["train/a/target_tokens"] == 4


def test_no_more_steps_wait_for_devices_than_are_needed(log, monkeypatch):
    waited = []
    monkeypatch.setattr(jax, "block_until_ready", waited.append)
    steps = [metrics() for _ in range(IN_FLIGHT + 2)]
    for step in steps:
        log.add(step)
    assert waited == steps[:2]
