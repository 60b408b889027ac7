"""One update: loss, gradient, optimiser; and the same loss without the update."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from t2t.models.definition import Model, Params
from t2t.training.cross_entropy import TokenScores, summed_cross_entropy
from t2t.training.losses import Loss
from t2t.training.optimizers import Optimizer
from t2t.training.partitioning import batch_sharding, replicated
from t2t.training.state import TrainState, state_shardings

Batch = dict[str, jax.Array]
Metrics = dict[str, jax.Array]


def summed_loss(
    model: Model,
    loss: Loss,
    num_tasks: int,
    mesh: Mesh | None,
    params: Params,
    batch: Batch,
    key: jax.Array | None,
) -> tuple[jax.Array, Metrics]:
    """The loss summed over real target tokens, and sums for the log.

    Metrics are float32: scalars `correct`, and `[num_tasks]` vectors `loss` and `tokens`, counted
    by `decoder_task_ids` (`encoder_…` for encoders; all 0 if the batch has none). Cross-entropy is
    reported without smoothing and z-loss, so that runs with different ones compare.
    """
    total, scores, targets, weights = _scored(model, loss, mesh, params, batch, key)
    task_ids = batch.get(f"{model.config.loss_side}_task_ids", jnp.zeros_like(targets))

    def by_task(values):
        return jax.ops.segment_sum((values * weights).ravel(), task_ids.ravel(), num_tasks)

    metrics = {
        "loss": by_task(scores.cross_entropy),
        "tokens": by_task(jnp.ones_like(weights)),
        "correct": jnp.sum(scores.correct * weights),
    }
    return total, metrics


def _scored(
    model: Model,
    loss: Loss,
    mesh: Mesh | None,
    params: Params,
    batch: Batch,
    key: jax.Array | None,
) -> tuple[jax.Array, TokenScores, jax.Array, jax.Array]:
    """The summed loss, scores per token, and the targets and float32 weights they belong to."""
    side = model.config.loss_side
    targets = batch[f"{side}_target_tokens"]
    weights = batch[f"{side}_loss_weights"].astype(jnp.float32)
    head = {name: params[name] for name in model.head_names}
    hidden = model.bind(params).hidden(batch, key)
    total, scores = summed_cross_entropy(model.project, loss, head, hidden, targets, weights, mesh)
    return total, scores, targets, weights


def make_train_step(
    model: Model,
    optimizer: Optimizer,
    mesh: Mesh,
    *,
    loss: Loss | None = None,
    num_tasks: int = 1,
    microbatches: int = 1,
    seed: int = 0,
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
    """Returns the jitted `step(state, batch) -> (state, metrics)`; the state passed in is donated.

    The gradient is that of the loss per real target token of the global batch, whatever the number
    of `microbatches` it is accumulated over. Dropout depends on (seed, step) alone.
    """
    selection = optimizer.trainable.select(model.abstract_params)

    def loss_of(trained: Params, rest: Params, batch: Batch, key: jax.Array | None):
        params = selection.merge(trained, rest)
        return summed_loss(model, loss or Loss(), num_tasks, mesh, params, batch, key)

    gradient = jax.value_and_grad(loss_of, has_aux=True)
    use_dropout = bool(model.config.dropout)
    dropout_key = jax.random.key(seed)

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(dropout_key, state.step) if use_dropout else None
        trained, rest = selection.split(state.params)
        summed = functools.partial(gradient, trained, rest)
        grads, metrics = _accumulate(summed, batch, key, microbatches)
        tokens = jnp.maximum(jnp.sum(metrics["tokens"]), 1.0)
        grads = jax.tree.map(lambda g: g / tokens, grads)
        updates, opt_state = optimizer.transformation.update(grads, state.opt_state, trained)
        params = selection.merge(optax.apply_updates(trained, updates), rest)
        metrics |= {
            "grad_norm": optax.tree.norm(grads),
            "update_norm": optax.tree.norm(updates),
            "param_norm": optax.tree.norm(params),
        }
        return TrainState(state.step + 1, params, opt_state), metrics

    shardings = state_shardings(model, optimizer, mesh)
    return jax.jit(
        step,
        donate_argnums=0,
        in_shardings=(shardings, batch_sharding(mesh)),
        out_shardings=(shardings, replicated(mesh)),
    )


def _accumulate(
    summed: Callable, batch: Batch, key: jax.Array | None, microbatches: int
) -> tuple[Any, Metrics]:
    """Sums gradients and metrics over equal parts of the batch, one after the other."""
    if microbatches == 1:
        (_, metrics), grads = summed(batch, key)
        return grads, metrics
    # Part i takes rows i, i + n, i + 2n ...: each device's rows stay on it.
    parts = jax.tree.map(
        lambda x: jnp.moveaxis(x.reshape(-1, microbatches, *x.shape[1:]), 1, 0), batch
    )
    keys = None if key is None else jax.random.split(key, microbatches)

    def body(total, part):
        (_, metrics), grads = summed(*part)
        return jax.tree.map(jnp.add, total, (grads, metrics)), None

    first = jax.tree.map(lambda x: x[0], (parts, keys))
    (_, metrics), grads = jax.eval_shape(summed, *first)
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), (grads, metrics))
    return jax.lax.scan(body, zeros, (parts, keys))[0]


def make_eval_step(model: Model, mesh: Mesh) -> Callable[[Params, Batch], Metrics]:
    """Returns the jitted `step(params, batch) -> {"loss", "tokens", "correct"}`.

    All are float32 `[batch]`, sums over the real target tokens of each row.
    """

    def step(params: Params, batch: Batch) -> Metrics:
        _, scores, _, weights = _scored(model, Loss(), mesh, params, batch, None)
        return {
            "loss": jnp.sum(scores.cross_entropy * weights, -1),
            "tokens": jnp.sum(weights, -1),
            "correct": jnp.sum(scores.correct * weights, -1),
        }

    return jax.jit(step, out_shardings=replicated(mesh))
