"""One step of training with a loss of several terms, on one device or several."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from t2t.models.attention import Attention
from t2t.models.definition import Model
from t2t.models.embedding import Embedding
from t2t.models.feed_forward import FeedForward
from t2t.models.positions import LearnedPositions
from t2t.models.stack import Stack
from t2t.training.optimizers import sgd
from t2t.training.partitioning import MeshShape
from t2t.training.schedules import constant_schedule
from t2t.training.state import TrainState, state_shardings
from t2t.training.step import make_eval_step, make_train_step

VOCAB, LENGTH, RATE = 32, 8, 0.1
STACK = Stack(
    1,
    8,
    Attention(2, 4),
    FeedForward(16, ("relu",)),
    positions=LearnedPositions(LENGTH),
    embedding=Embedding(token_types=2),
)
SGD = sgd(constant_schedule(RATE))


def make_mesh(shape):
    return MeshShape(*shape).mesh() if shape else MeshShape().mesh(jax.devices()[:1])


@functools.cache
def random_params(config):
    rng = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: rng.normal(size=leaf.shape).astype(np.float32) * leaf.shape[-1] ** -0.5,
        Model(config).abstract_params,
    )


def masked_rows(rows=8):
    """Rows of unequal length, with one masked token in half of them and up to five in others."""
    rng = np.random.default_rng(1)
    targets = rng.integers(4, VOCAB, (rows, LENGTH), dtype=np.int32)
    targets *= np.arange(LENGTH) < rng.integers(5, LENGTH + 1, (rows, 1))
    masked = np.arange(LENGTH) < np.where(np.arange(rows) < rows // 2, 1, 5)[:, None]
    return {
        "encoder_input_tokens": np.where(masked, np.int32(3), targets),
        "encoder_target_tokens": targets,
        "encoder_loss_weights": masked.astype(np.int32),
        "encoder_token_types": rng.integers(0, 2, (rows, LENGTH), dtype=np.int32),
        "encoder_task_ids": np.zeros((rows, LENGTH), np.int32),
    }


@functools.cache
def step_of(config, loss, shape=None, microbatches=1):
    return make_train_step(
        Model(config), SGD, make_mesh(shape), loss=loss, microbatches=microbatches
    )


def step(config, loss, batch, shape=None, microbatches=1, count=0):
    """Parameters after a step of SGD from `random_params`, and its metrics."""
    params = random_params(config)
    state = TrainState(jnp.array(count, jnp.int32), params, SGD.transformation.init(params))
    shardings = state_shardings(Model(config), SGD, make_mesh(shape))
    state = jax.device_put(jax.tree.map(np.array, state), shardings, may_alias=False)
    state, metrics = step_of(config, loss, shape, microbatches)(state, batch)
    return jax.device_get((state.params, metrics))


def evaluate(config, loss, batch):
    """Sums by row."""
    return jax.device_get(
        make_eval_step(Model(config), make_mesh(None), loss)(random_params(config), batch)
    )


def cross_entropy(logits, targets):
    """In nats, with `logits` `[..., classes]`; differentiable."""
    picked = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    return jax.nn.logsumexp(logits, axis=-1) - picked


def assert_step_of(objective, config, params):
    """That `params` are those after a step of SGD on `objective(params)`."""
    before = random_params(config)
    grads = jax.jit(jax.grad(objective))(before)
    jax.tree.map(
        lambda old, grad, new: np.testing.assert_allclose(
            new, old - RATE * np.asarray(grad), rtol=0, atol=1e-5
        ),
        before,
        grads,
        params,
    )
