"""Optimisers for stacked parameters.

Leaves under a "layers" key hold all layers of a stack. Whatever an optimiser computes over a whole
leaf (Adafactor's scale and clipping, decay by rank) has to be computed per layer, so `per_layer`
runs the Optax transformation under `vmap` over that axis.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from t2t.errors import UserError
from t2t.training.schedules import Schedule
from t2t.training.trainable import Trainable


class Optimizer(NamedTuple):
    """An Optax transformation, the schedule inside it (to be logged), and what it is applied to."""

    transformation: optax.GradientTransformation
    learning_rate: Schedule
    trainable: Trainable = Trainable()


def adafactor(
    learning_rate: Schedule,
    decay_rate: float = 0.8,
    clipping_threshold: float | None = 1.0,
    multiply_by_parameter_scale: bool = True,
    min_dim_size_to_factor: int = 128,
    weight_decay: float = 0.0,
    clip_norm: float | None = None,
) -> Optimizer:
    """Adafactor (https://arxiv.org/abs/1804.04235) as T5 uses it: no momentum, relative updates.

    Args:
      learning_rate: relative to each matrix's root mean square, if `multiply_by_parameter_scale`.
      decay_rate: second moments decay by 1 - step ** -decay_rate.
      clipping_threshold: largest root mean square of an update before scaling.
      multiply_by_parameter_scale: scale updates by max(1e-3, RMS of the parameter).
      min_dim_size_to_factor: matrices with a smaller dimension keep full second moments.
      weight_decay: share of each weight removed per step, times the learning rate.
      clip_norm: largest global norm of the gradient; None for no clipping.
    """
    inner = optax.chain(
        optax.scale_by_factored_rms(
            decay_rate=decay_rate, min_dim_size_to_factor=min_dim_size_to_factor
        ),
        optax.clip_by_block_rms(clipping_threshold) if clipping_threshold else optax.identity(),
        optax.scale_by_param_block_rms() if multiply_by_parameter_scale else optax.identity(),
    )
    return _finish(per_layer(inner), learning_rate, weight_decay, clip_norm)


def adamw(
    learning_rate: Schedule,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    clip_norm: float | None = None,
) -> Optimizer:
    """AdamW (https://arxiv.org/abs/1711.05101); decay spares vectors (norms).

    Args:
      learning_rate: absolute.
      b1, b2: decay of first and second moment.
      eps: added to the root of the second moment.
      weight_decay: share of each matrix removed per step, times the learning rate.
      clip_norm: largest global norm of the gradient; None for no clipping.
    """
    return _finish(optax.scale_by_adam(b1, b2, eps), learning_rate, weight_decay, clip_norm)


def lamb(
    learning_rate: Schedule,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-6,
    weight_decay: float = 0.01,
    clip_norm: float | None = None,
) -> Optimizer:
    """LAMB (https://arxiv.org/abs/1904.00962, algorithm 2), for large batches; ALBERT's optimiser.

    Adam's update with the decay added is scaled to the norm of each matrix, of each layer on its
    own. Vectors (norms, biases) have neither decay nor scaling, as in ALBERT's pretraining.

    Args:
      learning_rate: relative to each matrix's norm; ALBERT's was 1.76e-3 at batches of 4096.
      b1, b2: decay of first and second moment.
      eps: added to the root of the second moment.
      weight_decay: share of each matrix added to its update before it is scaled.
      clip_norm: largest global norm of the gradient; None for no clipping.
    """
    inner = optax.chain(
        optax.scale_by_adam(b1, b2, eps),
        optax.add_decayed_weights(weight_decay, _is_matrix),
        _scale_matrices_by_trust_ratio(),
    )
    return _finish(inner, learning_rate, 0.0, clip_norm)


def sgd(learning_rate: Schedule, clip_norm: float | None = None) -> Optimizer:
    """Plain gradient descent: what to compare meshes with, for Adam amplifies rounding."""
    return _finish(optax.identity(), learning_rate, 0.0, clip_norm)


def _finish(
    transformation: optax.GradientTransformation,
    learning_rate: Schedule,
    weight_decay: float,
    clip_norm: float | None,
) -> Optimizer:
    if clip_norm is not None and not clip_norm > 0:
        raise UserError(f"clip_norm must be above 0 (or None), got {clip_norm}.")
    steps = [
        optax.clip_by_global_norm(clip_norm) if clip_norm else optax.identity(),
        transformation,
        optax.add_decayed_weights(weight_decay, _is_matrix) if weight_decay else optax.identity(),
        optax.scale_by_learning_rate(learning_rate),
    ]
    return Optimizer(optax.chain(*steps), learning_rate)


def per_layer(inner: optax.GradientTransformation) -> optax.GradientTransformation:
    """Applies `inner` to every leaf on its own, and to every layer of stacked leaves.

    The state is a tree like the parameters, with the state of `inner` in place of each leaf.
    """

    def init(params):
        return _map_stacked(
            params, lambda leaf, stacked: (jax.vmap(inner.init) if stacked else inner.init)(leaf)
        )

    def update(updates, state, params):
        structure: Any = jax.tree.structure(params)
        stacked = jax.tree.leaves(_map_stacked(params, lambda _, stacked: stacked))
        results = [
            (jax.vmap(inner.update) if is_stacked else inner.update)(*arguments)
            for is_stacked, *arguments in zip(
                stacked,
                structure.flatten_up_to(updates),
                structure.flatten_up_to(state),
                jax.tree.leaves(params),
                strict=True,
            )
        ]
        return tuple(jax.tree.unflatten(structure, part) for part in zip(*results, strict=True))

    return optax.GradientTransformation(init, update)


def _scale_matrices_by_trust_ratio() -> optax.GradientTransformation:
    """Gives the update of each matrix the norm of the matrix, unless either is 0."""

    def scaled(update: jax.Array, param: jax.Array) -> jax.Array:
        ours, theirs = jnp.linalg.norm(param), jnp.linalg.norm(update)
        both = (ours > 0) & (theirs > 0)
        return update * jnp.where(both, ours / jnp.where(both, theirs, 1.0), 1.0)

    def scale(leaf: jax.Array, stacked: bool, update: jax.Array) -> jax.Array:
        if jnp.ndim(leaf) - stacked < 2:
            return update
        return (jax.vmap(scaled) if stacked else scaled)(update, leaf)

    return optax.stateless(lambda updates, params: _map_stacked(params, scale, updates))


def _is_matrix(params: Any) -> Any:
    return _map_stacked(params, lambda leaf, stacked: jnp.ndim(leaf) - stacked >= 2)


def _map_stacked(params: Any, function: Callable[..., Any], *trees: Any) -> Any:
    """`function(leaf, stacked, *leaves)` of parameters, and of trees like them."""

    def visit(path, leaf, *others):
        return function(leaf, any(getattr(key, "key", None) == "layers" for key in path), *others)

    return jax.tree_util.tree_map_with_path(visit, params, *trees)
