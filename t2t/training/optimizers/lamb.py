"""LAMB."""

import jax
import jax.numpy as jnp
import optax

from t2t.models.parameter_paths import is_stacked
from t2t.training.optimizers.layers import is_matrix, map_leaves
from t2t.training.optimizers.optimizer import Optimizer, as_decay, finish
from t2t.training.optimizers.weight_decay import WeightDecay
from t2t.training.schedules import Schedule


def lamb(
    learning_rate: Schedule,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-6,
    weight_decay: float | WeightDecay = 0.01,
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
    decay = as_decay(weight_decay)
    inner = optax.chain(
        optax.scale_by_adam(b1, b2, eps),
        optax.add_decayed_weights(decay.rate, decay.mask),
        _scale_matrices_by_trust_ratio(),
    )
    return finish(inner, learning_rate, 0.0, clip_norm)


def _scale_matrices_by_trust_ratio() -> optax.GradientTransformation:
    """Gives the update of each matrix the norm of the matrix, unless either is 0."""

    def scaled(update: jax.Array, param: jax.Array) -> jax.Array:
        ours, theirs = jnp.linalg.norm(param), jnp.linalg.norm(update)
        both = (ours > 0) & (theirs > 0)
        return update * jnp.where(both, ours / jnp.where(both, theirs, 1.0), 1.0)

    def scale(path: str, leaf: jax.Array, update: jax.Array) -> jax.Array:
        if not is_matrix(path, leaf):
            return update
        return (jax.vmap(scaled) if is_stacked(path) else scaled)(update, leaf)

    return optax.stateless(lambda updates, params: map_leaves(scale, params, updates))
