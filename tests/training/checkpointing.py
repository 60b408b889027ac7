"""A small state to save, and what tests of checkpoints do with it."""

import jax
import jax.numpy as jnp
import numpy as np

from t2t.models.definition import Model
from t2t.training import optimizers, schedules
from t2t.training.checkpoints import CheckpointPolicy, Checkpoints
from t2t.training.partitioning import MeshShape
from t2t.training.start import abstract_sharded_state
from t2t.training.state import init_state
from tests.training.conftest import TINY

MODEL = Model(TINY)
OPTIMIZER = optimizers.adafactor(schedules.constant_schedule(1e-3))


def make_state():
    """A fresh state."""
    return jax.jit(lambda: init_state(MODEL, OPTIMIZER, 0))()


def abstract(mesh_shape=None):
    """Shapes, dtypes and shardings to restore to."""
    return abstract_sharded_state(MODEL, OPTIMIZER, (mesh_shape or MeshShape()).mesh())


def at(state, step):
    """The state as of `step`, with parameters that tell steps apart."""
    params = jax.tree.map(lambda x: x + step, state.params)
    return state._replace(step=jnp.array(step, jnp.int32), params=params)


def save_steps(folder, state, steps, policy=None, losses=None):
    """Saves the state at each of the steps, with the loss of the step if there is one."""
    with Checkpoints(folder, policy or CheckpointPolicy(keep_latest=9)) as checkpoints:
        for step in steps:
            metrics = {"loss": losses[step]} if losses else None
            checkpoints.save(at(state, step), {"positions": [step]}, metrics)


def assert_same(left, right):
    """Bit for bit."""
    jax.tree.map(
        lambda a, b: np.testing.assert_array_equal(np.asarray(a), np.asarray(b)), left, right
    )


def assert_newest(folder, state, step):
    """The newest that can be restored is of `step`, and as it was saved."""
    with Checkpoints(folder) as checkpoints:
        restored, data = checkpoints.restore(abstract())
    assert int(restored.step) == step
    assert data == {"positions": [step]}
    assert_same(restored, at(state, step))
