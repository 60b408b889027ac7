"""Adam, with decay beside it."""

import jax
import jax.numpy as jnp
import optax

from t2t.training.optimizers.layers import per_layer
from t2t.training.optimizers.optimizer import Optimizer, finish
from t2t.training.optimizers.weight_decay import WeightDecay
from t2t.training.schedules import Schedule


def adamw(
    learning_rate: Schedule,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float | WeightDecay = 0.0,
    clip_norm: float | None = None,
) -> Optimizer:
    """AdamW (https://arxiv.org/abs/1711.05101, algorithm 2); decay spares vectors (norms).

    Args:
      learning_rate: absolute.
      b1, b2: decay of first and second moment.
      eps: added to the root of the second moment.
      weight_decay: share of each matrix removed per step, times the learning rate.
      clip_norm: largest global norm of the gradient; None for no clipping.
    """
    return finish(optax.scale_by_adam(b1, b2, eps), learning_rate, weight_decay, clip_norm)


def rms_scaled_adamw(
    learning_rate: Schedule,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-6,
    weight_decay: float | WeightDecay = 0.0,
    clip_norm: float | None = None,
) -> Optimizer:
    """AdamW with updates relative to the size of parameters, as Adafactor's are.

    nanoT5's optimiser (https://arxiv.org/abs/2309.02373), there with a peak rate of 2e-2 and a
    cosine schedule. The arrays of each layer are scaled on their own. `eps` is added as in Adam's
    paper, to the root of the corrected second moment.

    Args:
      learning_rate: relative to the root mean square of each array, which counts as 1e-3 at least.
      b1, b2: decay of first and second moment.
      eps: added to the root of the second moment.
      weight_decay: share of each matrix removed per step, times the learning rate.
      clip_norm: largest global norm of the gradient; None for no clipping.
    """
    scaled = optax.chain(
        optax.scale_by_adam(b1, b2, eps), per_layer(lambda _: optax.stateless(_scale_by_rms))
    )
    return finish(scaled, learning_rate, weight_decay, clip_norm)


def _scale_by_rms(update: jax.Array, param: jax.Array) -> jax.Array:
    rms = jnp.sqrt(jnp.mean(jnp.square(param)))
    return update * jnp.maximum(rms, 1e-3)
