"""One update: loss, gradient, optimiser; and the same loss without the update."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from t2t.models.activation_sharding import on_mesh
from t2t.models.axis_rules import AxisRules
from t2t.models.definition import Model, Params
from t2t.training.guard import Guard
from t2t.training.losses.language_modeling import Loss
from t2t.training.losses.training_loss import TrainingLoss
from t2t.training.norms import NormGroups, norms
from t2t.training.optimizers import Optimizer
from t2t.training.partitioning import batch_sharding, replicated
from t2t.training.state import TrainState, state_shardings

Batch = dict[str, jax.Array]
Metrics = dict[str, jax.Array]


def _objective(
    model: Model,
    loss: TrainingLoss,
    num_tasks: int,
    mesh: Mesh | None,
    params: Params,
    batch: Batch,
    key: jax.Array | None,
    scales: Mapping[str, jax.Array | float],
) -> tuple[jax.Array, Metrics]:
    """The sum of all terms times `scales`, and sums for the log.

    Metrics are float32. Of the main term: the scalar `correct`, and `[num_tasks]` vectors `loss`
    and `tokens`, counted by `decoder_task_ids` (`encoder_…` for encoders; all 0 if the batch has
    none). Of each other term scalars: `<term>/weight`, `<term>/loss`, `<term>/accuracy` ...
    Cross-entropy is reported without smoothing and z-loss, so that runs with different ones
    compare.
    """
    terms = loss.terms(model, params, batch, key, mesh)
    total = functools.reduce(jnp.add, (scales[k] * term.total for k, term in terms.items()))
    main, *others = terms
    scores, weights = terms[main].scores, terms[main].weights
    task_ids = batch.get(f"{model.config.loss_side}_task_ids", jnp.zeros(weights.shape, jnp.int32))

    def by_task(values):
        of_items = task_ids[:, : weights.shape[1]]
        return jax.ops.segment_sum((values * weights).ravel(), of_items.ravel(), num_tasks)

    metrics = {
        "loss": by_task(scores.cross_entropy),
        "tokens": by_task(jnp.ones_like(weights)),
        "correct": jnp.sum(scores.correct * weights),
    }
    for name in others:
        sums = {what: jnp.sum(x) for what, x in terms[name].weighted().items()}
        metrics |= {f"{name}/{what}": x for what, x in sums.items()}
    return total, metrics


def _scales(
    model: Model, loss: TrainingLoss, batch: Batch
) -> tuple[jax.Array, dict[str, jax.Array | float]]:
    """Total weight of the main term, and what each term is multiplied by before it is divided."""
    sums = {
        name: jnp.maximum(jnp.sum(weights), 1.0)
        for name, weights in loss.weights(model.config, batch).items()
    }
    weight = next(iter(sums.values()))
    return weight, {
        name: loss.coefficients.get(name, 1.0) * (weight / total) for name, total in sums.items()
    }


def make_train_step(
    model: Model,
    optimizer: Optimizer,
    mesh: Mesh,
    *,
    loss: TrainingLoss = Loss(),  # noqa: B008 (frozen)
    guard: Guard = Guard(),  # noqa: B008
    groups: NormGroups = NormGroups(),  # noqa: B008
    num_tasks: int = 1,
    microbatches: int = 1,
    seed: int = 0,
    rules: AxisRules = AxisRules(),  # noqa: B008
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
    """Returns the jitted `step(state, batch) -> (state, metrics)`; the state passed in is donated.

    The gradient is that of means over the global batch, such as the loss per real target token,
    whatever the number of `microbatches` it is accumulated over. Dropout, and what the loss draws,
    depend on (seed, step) alone.

    Beside those of the loss, metrics have float32 `grad_norm`, `update_norm` (both of what is
    trained) and `param_norm`, each also by part of the model as `grad_norm/<part>`, and int32
    `skipped` and `in_a_row` of the guard.
    """
    parts = groups.select(model.abstract_params)
    selection = optimizer.trainable.select(model.abstract_params)

    def loss_of(trained: Params, rest: Params, scales, batch: Batch, key: jax.Array | None):
        params = selection.merge(trained, rest)
        return _objective(model, loss, num_tasks, mesh, params, batch, key, scales)

    gradient = jax.value_and_grad(loss_of, has_aux=True)
    is_random = bool(model.config.dropout) or loss.draws
    seed_key = jax.random.key(seed)

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(seed_key, state.step) if is_random else None
        trained, rest = selection.split(state.params)
        weight, scales = _scales(model, loss, batch)
        summed = functools.partial(gradient, trained, rest, scales)
        grads, metrics = _accumulate(summed, batch, key, microbatches)
        grads = jax.tree.map(lambda g: g / weight, grads)
        updates, opt_state = optimizer.transformation.update(grads, state.opt_state, trained)
        metrics |= norms(grads, parts, "grad_norm") | norms(updates, parts, "update_norm")
        accepted, guard_state = guard.judge(
            state.guard,
            jnp.sum(metrics["loss"]),
            jnp.sum(metrics["tokens"]),
            (metrics["grad_norm"], metrics["update_norm"]),
        )
        new = optax.apply_updates(trained, updates), opt_state
        trained, opt_state = jax.tree.map(
            lambda x, old: jnp.where(accepted, x, old), new, (trained, state.opt_state)
        )
        params = selection.merge(trained, rest)
        metrics |= norms(params, parts, "param_norm")
        metrics |= {"skipped": guard_state.skipped, "in_a_row": guard_state.in_a_row}
        return TrainState(state.step + 1, params, opt_state, guard_state), metrics

    shardings = state_shardings(model, optimizer, mesh, rules)
    return jax.jit(
        on_mesh(step, mesh, rules),
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


def make_eval_step(
    model: Model,
    mesh: Mesh,
    loss: TrainingLoss = Loss(),  # noqa: B008
    rules: AxisRules = AxisRules(),  # noqa: B008
) -> Callable[[Params, Batch], Metrics]:
    """Returns the jitted `step(params, batch) -> {"loss", "tokens", "correct"}`.

    All are float32 `[batch]`, sums over the items of each row: of the main term, and of other terms
    `<term>/weight`, `<term>/loss`, `<term>/accuracy` ...
    """

    def step(params: Params, batch: Batch) -> Metrics:
        terms = loss.terms(model, params, batch, None, mesh)
        sums = {
            f"{name}/{what}": jnp.sum(x, -1)
            for name, term in terms.items()
            for what, x in term.weighted().items()
        }
        main = next(iter(terms))
        names = {"loss": "loss", "tokens": "weight", "correct": "accuracy"}
        return {new: sums.pop(f"{main}/{old}") for new, old in names.items()} | sums

    return jax.jit(on_mesh(step, mesh, rules), out_shardings=replicated(mesh))
