"""Saving, keeping, restoring; `test_checkpoints_*.py` have what goes wrong."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest

from t2t.errors import UserError
from t2t.training.checkpoints import CheckpointPolicy, Checkpoints
from t2t.training.partitioning import MeshShape
from t2t.training.state import state_shardings
from tests.training.checkpointing import (
    MODEL,
    OPTIMIZER,
    abstract,
    assert_same,
    at,
    make_state,
    save_steps,
)


@pytest.fixture(scope="module")
def state():
    return make_state()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "checkpoints"


@pytest.mark.parametrize("shape", [MeshShape(), MeshShape(2, 2, 2), MeshShape(1, 8, 1)])
def test_round_trip_onto_any_mesh(folder, state, shape):
    shardings = state_shardings(MODEL, OPTIMIZER, MeshShape(1, 4, 2).mesh())
    save_steps(folder, jax.device_put(state, shardings), [3])
    with Checkpoints(folder) as checkpoints:
        restored, data = checkpoints.restore(abstract(shape))
        params, step = checkpoints.restore_params(abstract(shape).params)
    assert data == {"positions": [3]}
    assert step == int(restored.step) == 3
    assert jax.tree.structure(restored) == jax.tree.structure(state)
    assert_same(restored, at(state, 3))
    assert_same(params, restored.params)
    embedding = restored.params["token_embedder"]["embedding"]
    assert embedding.sharding == abstract(shape).params["token_embedder"]["embedding"].sharding


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        (CheckpointPolicy(every=1, keep_latest=2), [5, 6]),
        (CheckpointPolicy(every=1, keep_latest=1, keep_every=3), [3, 6]),
        (CheckpointPolicy(every=1, keep_latest=1, keep_best=2), [2, 4, 6]),
        (CheckpointPolicy(every=1, keep_latest=1, keep_best=1, best_mode="max"), [5, 6]),
    ],
)
def test_what_is_kept(folder, state, policy, kept):
    losses = {1: 5.0, 2: 1.0, 3: 4.0, 4: 2.0, 5: 9.0, 6: 3.0}
    save_steps(folder, state, [1, 2, 3], policy, losses)
    save_steps(folder, state, [4, 5, 6], policy, losses)  # the best survive a restart
    with Checkpoints(folder) as checkpoints:
        assert checkpoints.steps() == kept


def test_no_checkpoint_is_none_for_training_and_an_error_for_use(folder, state):
    with Checkpoints(folder, CheckpointPolicy()) as checkpoints:
        assert checkpoints.restore(abstract()) is None
        with pytest.raises(UserError, match="There is no checkpoint in"):
            checkpoints.restore_params(abstract().params)
    save_steps(folder, state, [1, 2])
    with Checkpoints(folder) as checkpoints:
        assert checkpoints.restore_params(abstract().params, 1)[1] == 1
        with pytest.raises(UserError, match=r"no checkpoint of step 7 .*there are 1, 2"):
            checkpoints.restore_params(abstract().params, 7)


def test_a_checkpoint_of_other_shapes_is_one_clear_error(folder, state):
    save_steps(folder, state, [1])
    wider = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct((*x.shape, 2), x.dtype, sharding=x.sharding),
        abstract().params,
    )
    with (
        Checkpoints(folder) as checkpoints,
        pytest.raises(UserError, match=r"another model: parameter decoder"),
    ):
        checkpoints.restore_params(wider)


def cast(tree, dtype):
    return jax.tree.map(
        lambda x: x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x, tree
    )


@pytest.mark.parametrize("there", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("here", [jnp.float32, jnp.bfloat16])
def test_other_dtypes_are_cast_and_integers_stay(folder, state, there, here):
    saved = cast(at(state, 3), there)
    with Checkpoints(folder, CheckpointPolicy()) as checkpoints:
        checkpoints.save(saved, {})
    shardings = state_shardings(MODEL, OPTIMIZER, MeshShape(1, 4, 2).mesh())
    wanted = jax.tree.map(
        lambda x, sharding: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding),
        jax.eval_shape(lambda: cast(state, here)),
        shardings,
    )
    with Checkpoints(folder) as checkpoints:
        restored, _ = checkpoints.restore(wanted)
        params, _ = checkpoints.restore_params(wanted.params)
    expected = cast(saved, here)
    assert_same(restored, expected)
    assert_same(params, expected.params)
    dtypes = {str(leaf.dtype) for leaf in jax.tree.leaves(restored)}
    assert dtypes == {str(jnp.dtype(here)), "int32"}


def test_the_best_survive_restarts(folder, state):
    policy = CheckpointPolicy(every=1, keep_latest=1, keep_best=2)
    losses = {1: 3.0, 2: 1.0, 3: 4.0, 4: 2.0, 5: 5.0, 6: float("nan"), 7: 0.5}
    for step, kept in zip(losses, [[1], [1, 2], [1, 2, 3], [2, 4], [2, 4, 5]], strict=False):
        save_steps(folder, state, [step], policy, losses)
        with Checkpoints(folder) as checkpoints:
            assert checkpoints.steps() == kept
            assert checkpoints.best_step() == min(kept, key=losses.get)
    save_steps(folder, state, [6], policy, losses)  # no number: not among the best
    save_steps(folder, state, [7], policy, losses)
    with Checkpoints(folder) as checkpoints:
        assert checkpoints.steps() == [2, 7]
        assert checkpoints.best_step() == 7
        assert checkpoints.best_step(mode="max") == 2
        assert checkpoints.best_step("accuracy") is None


def test_the_best_survive_a_save_that_fails(folder, state, monkeypatch):
    policy = CheckpointPolicy(every=1, keep_latest=1, keep_best=1, on_failure="continue")
    with Checkpoints(folder, policy) as checkpoints:
        for step, loss in enumerate([1.0, 2.0, 3.0, 4.0], start=1):
            with monkeypatch.context() as patch:
                if step == 2:
                    patch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=0))
                checkpoints.save(at(state, step), {}, {"loss": loss})
        checkpoints.wait()
        assert checkpoints.failures == 1
        assert checkpoints.steps() == [1, 4]


def test_where_a_run_began_is_kept_until_it_can_go_back_to_another(folder, state):
    """What an import left: interruptions before the first multiple are no place for that."""
    policy = CheckpointPolicy(every=10, keep_latest=1)
    for step, kept in {7: [7], 8: [7, 8], 9: [7, 9], 10: [10], 11: [10, 11]}.items():
        save_steps(folder, state, [step], policy)
        with Checkpoints(folder) as checkpoints:
            assert checkpoints.steps() == kept


def test_blocking_seconds_are_returned(folder, state):
    with Checkpoints(folder, CheckpointPolicy()) as checkpoints:
        assert 0 < checkpoints.save(at(state, 1), {}) < 60


def test_nothing_but_checkpoints_is_left_in_the_folder(folder, state):
    save_steps(folder, state, range(1, 5), CheckpointPolicy(every=1, keep_latest=2))
    assert sorted(path.name for path in folder.iterdir()) == ["3", "4"]


def test_a_best_metric_that_is_not_there_is_named(folder, state):
    policy = CheckpointPolicy(keep_best=1, best_metric="spelling/exact_mtch")
    with Checkpoints(folder, policy) as checkpoints:
        with pytest.raises(UserError, match="Did you mean 'spelling/exact_match'"):
            checkpoints.save(at(state, 1), {}, {"loss": 1.0, "spelling/exact_match": 0.5})
        checkpoints.save(at(state, 2), {})  # no evaluation at this step


@pytest.mark.parametrize(
    "arguments",
    [
        {"every": 0},
        {"keep_latest": 0},
        {"keep_best": -1},
        {"best_mode": "least"},
        {"on_failure": "ignore"},
    ],
)
def test_bad_policies(arguments):
    with pytest.raises(UserError, match=next(iter(arguments))):
        CheckpointPolicy(**arguments)
