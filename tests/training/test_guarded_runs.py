"""Runs in which updates are left out, and runs that go back, held against the updates by hand.

Two batches in a row give NaN, the sixth and the seventh.
"""

import dataclasses
import itertools
from time import monotonic
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.training import clock, throughput
from t2t.training.checkpoints import CheckpointPolicy, Checkpoints
from t2t.training.guard import Guard
from t2t.training.interruption import Stopped
from t2t.training.loop import train
from t2t.training.losses.language_modeling import Loss
from t2t.training.partitioning import MeshShape
from t2t.training.preparation import prepare
from t2t.training.start import abstract_sharded_state
from t2t.training.state import init_state, state_shardings
from t2t.training.step import make_train_step
from tests.training.test_loop import assert_bit_equal, kill_after_step, log_lines

BAD = (6, 7)


@dataclasses.dataclass(frozen=True)
class TroubledLoss(Loss):
    """Multiplied by `factor` in batches whose target ids have one of these sums."""

    sums: tuple[int, ...] = ()
    factor: float = float("nan")

    def term(self, model, params, hidden, batch, mesh, draws=None):
        term = super().term(model, params, hidden, batch, mesh, draws)
        is_bad = jnp.isin(jnp.sum(batch["decoder_target_tokens"]), jnp.array(self.sums))
        factor = jnp.where(is_bad, self.factor, 1.0)
        cross_entropy = term.scores.cross_entropy * factor
        scores = term.scores._replace(cross_entropy=cross_entropy)
        return term._replace(total=term.total * factor, scores=scores)


def prepared(experiment):
    names = prepare.__annotations__.keys() & experiment.keys()
    defaults = {
        "loss": Loss(), "pack": True, "converter": None, "data_workers": 0, "microbatches": 1,
        "seed": 0, "init_from": None, "lora": None, "trainable": None,
    }  # fmt: skip
    return prepare(**defaults | {k: experiment[k] for k in names} | {"mesh": MeshShape()})


@pytest.fixture
def guarded(experiment):
    """An experiment that meets NaN, checkpoints every 4 steps and has a log line every 2."""
    experiment["mixture"] = "tiny_text"  # which is not decoded
    pipeline = prepared(experiment).pipeline
    of_run = [batch for batch, _ in itertools.islice(pipeline.batches(), 20)]
    sums = [int(batch["decoder_target_tokens"].sum()) for batch in of_run]
    bad = tuple(sums[i - 1] for i in BAD)
    assert all(sums.count(one) == 1 for one in bad)
    evaluation = dataclasses.replace(experiment["evaluation"], every=100, num_examples=8)
    changes = {"loss": TroubledLoss(sums=bad), "log_every": 2, "evaluation": evaluation}
    return experiment | changes, of_run


_STEPS = {}


def step_of(experiment, shape, guard):
    """A fresh state and the compiled step, which tests share."""
    key = experiment["loss"], shape, guard
    if key not in _STEPS:
        made = prepared(experiment)
        mesh = MeshShape(*shape).mesh() if shape else MeshShape().mesh(jax.devices()[:1])
        step = make_train_step(made.model, made.optimizer, mesh, loss=key[0], guard=guard)
        shardings = state_shardings(made.model, made.optimizer, mesh)
        init = jax.jit(lambda: init_state(made.model, made.optimizer, 0), out_shardings=shardings)
        _STEPS[key] = init, step
    init, step = _STEPS[key]
    return init(), step


def by_hand(experiment, batches, shape=(8,), guard=None):
    """The state after the steps on these batches, and the metrics of each."""
    state, step = step_of(experiment, shape, guard or Guard())
    metrics = []
    for batch in batches:
        state, of_step = step(state, batch)
        metrics.append(jax.device_get(of_step))
    return jax.device_get(state), metrics


def stored(experiment):
    """The last state, and the data stored with it."""
    made = prepared(experiment)
    with Checkpoints(made.run.checkpoints) as checkpoints:
        abstract = abstract_sharded_state(made.model, made.optimizer, made.mesh)
        state, data = checkpoints.restore(abstract)
    return jax.device_get(state), data


def lines(experiment):
    """Of the log, without what is measured."""
    return [
        {name: value for name, value in line.items() if not name.startswith("perf/")}
        for line in log_lines(experiment)
    ]


def test_updates_that_are_nan_are_left_out_as_if_their_batches_were_not_there(guarded, caplog):
    experiment, batches = guarded
    train(**experiment)
    state, _ = stored(experiment)
    good = [batch for i, batch in enumerate(batches[:12], 1) if i not in BAD]
    expected, _ = by_hand(experiment, good)
    assert_bit_equal(state.params, expected.params)
    assert_bit_equal(state.opt_state, expected.opt_state)
    assert (state.step, state.guard.skipped, state.guard.seen) == (12, 2, 10)
    assert state.guard.mean == expected.guard.mean
    logged = {line["step"]: line for line in lines(experiment) if "guard/skipped" in line}
    assert [logged[step]["guard/skipped"] for step in (4, 6, 8, 12)] == [0, 1, 2, 2]
    assert all(np.isfinite(list(line.values())).all() for line in logged.values())
    assert "updates left out" in caplog.text
    assert "step 6 (loss nan, gradient norm nan)" in caplog.text


def test_a_mesh_leaves_out_what_one_device_does(guarded):
    experiment, batches = guarded
    one, of_one = by_hand(experiment, batches[:8], shape=None)
    eight, of_eight = by_hand(experiment, batches[:8])
    assert [int(m["in_a_row"]) for m in of_one] == [0, 0, 0, 0, 0, 1, 2, 0]
    assert [int(m["in_a_row"]) for m in of_eight] == [int(m["in_a_row"]) for m in of_one]
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3), one.guard, eight.guard
    )


def test_a_peak_is_left_out_if_asked_for(guarded):
    experiment, batches = guarded
    loss = dataclasses.replace(experiment["loss"], factor=4.0)
    guard = Guard(deviations=6.0, warmup=4)
    state, metrics = by_hand(experiment | {"loss": loss}, batches[:8], guard=guard)
    assert [int(m["in_a_row"]) for m in metrics] == [0, 0, 0, 0, 0, 1, 2, 0]
    expected, _ = by_hand(experiment | {"loss": loss}, batches[:5] + batches[7:8], guard=guard)
    assert_bit_equal(state.params, expected.params)
    assert np.isfinite(metrics[5]["grad_norm"])


@pytest.fixture
def going_back(guarded):
    """Goes back from the log line of step 8 to the checkpoint of step 4; the batches by hand."""
    experiment, batches = guarded
    experiment["guard"] = Guard(limit=2, rollbacks=1)
    return experiment, batches[:4] + batches[8:16]


def test_too_many_in_a_row_go_back_and_leave_out_the_batches_since(going_back, caplog):
    experiment, batches = going_back
    train(**experiment)
    state, data = stored(experiment)
    expected, _ = by_hand(experiment, batches)
    assert_bit_equal(state, expected)
    assert data["rollbacks"] == [[8, 4, 2]]
    logged = [line for line in lines(experiment) if "guard/skipped" in line]
    assert [line["step"] for line in logged] == [2, 4, 6, 8, 10, 12]
    assert [line["guard/rollbacks"] for line in logged] == [0, 0, 1, 1, 1, 1]
    assert [line["guard/skipped"] for line in logged] == [0, 0, 2, 2, 2, 2]
    assert "Going back from step 8 to the checkpoint of step 4 and leaving out the 4" in caplog.text


def test_it_goes_back_although_the_last_save_failed(going_back, monkeypatch):
    experiment, batches = going_back
    experiment["checkpoint"] = CheckpointPolicy(every=2, on_failure="continue")
    calls = itertools.count(1)

    def disk_usage(_):
        return SimpleNamespace(free=0 if next(calls) == 3 else 1 << 40)

    monkeypatch.setattr("shutil.disk_usage", disk_usage)
    train(**experiment)
    state, data = stored(experiment)
    assert data["rollbacks"] == [[8, 4, 2]], "step 6 could not be saved"
    assert_bit_equal(state, by_hand(experiment, batches)[0])


def test_time_that_is_lost_by_going_back_is_no_step_s(going_back, monkeypatch):
    experiment, _ = going_back
    original, calls, late = throughput.StepLog.add, itertools.count(1), []
    counter = SimpleNamespace(perf_counter=lambda: monotonic() + sum(late))

    def add(self, metrics):
        original(self, metrics)
        if next(calls) in (7, 8):  # those since the last log line
            late.append(10_000.0)

    monkeypatch.setattr(throughput.StepLog, "add", add)
    monkeypatch.setattr(clock, "time", counter)
    train(**experiment)
    [line] = [x for x in log_lines(experiment) if "perf/rollback_seconds" in x]
    assert line["step"] == 6
    assert line["perf/rollback_seconds"] >= 20_000
    assert line["perf/productive_seconds"] <= line["perf/step_seconds"] < 20_000


def crash_after_steps(count, monkeypatch):
    """As a kill would end it: nothing more is saved."""
    original, calls = throughput.StepLog.add, itertools.count(1)

    def add(self, metrics):
        original(self, metrics)
        if next(calls) == count:
            raise KeyboardInterrupt

    monkeypatch.setattr(throughput.StepLog, "add", add)


def test_interruptions_do_not_change_where_it_goes_back_to(going_back, monkeypatch):
    experiment, batches = going_back
    experiment["checkpoint"] = CheckpointPolicy(every=4, keep_latest=1)
    for interrupt, error, count in (
        (kill_after_step, Stopped, 7),  # between the first update left out and going back
        (kill_after_step, Stopped, 1),  # while it is about to go back, at step 8
        (crash_after_steps, KeyboardInterrupt, 6),  # after that and before the next checkpoint
    ):
        with monkeypatch.context() as patch, pytest.raises(error):
            interrupt(count, patch)
            train(**experiment)
    train(**experiment)
    state, data = stored(experiment)
    assert_bit_equal(state, by_hand(experiment, batches)[0])
    assert data["rollbacks"] == [[8, 4, 2]]
    assert [line["step"] for line in lines(experiment)] == [2, 4, 6, 8, 10, 12, 12]


def test_without_a_checkpoint_it_goes_back_to_the_start(guarded):
    experiment, batches = guarded
    experiment["guard"] = Guard(limit=2, rollbacks=1)
    experiment |= {"checkpoint": CheckpointPolicy(every=100), "log_every": 7, "total_steps": 8}
    train(**experiment)
    state, data = stored(experiment)
    assert data["rollbacks"] == [[7, 0, 2]]
    assert_bit_equal(state, by_hand(experiment, batches[7:15])[0])
