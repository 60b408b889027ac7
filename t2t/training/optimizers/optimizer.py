"""What an optimiser is, and what all have in common: clipping, decay, learning rate."""

from typing import Any, NamedTuple

import optax

from t2t.errors import UserError
from t2t.training.optimizers.weight_decay import WeightDecay
from t2t.training.schedules import Schedule
from t2t.training.trainable import Trainable


class Optimizer(NamedTuple):
    """An Optax transformation, the schedule inside it (to be logged), and what it is applied to."""

    transformation: optax.GradientTransformation
    learning_rate: Schedule
    trainable: Trainable = Trainable()


def finish(
    transformation: optax.GradientTransformation,
    learning_rate: Schedule,
    weight_decay: float | WeightDecay,
    clip_norm: float | None,
) -> Optimizer:
    """Clips gradients, transforms them, adds the decay and scales by the learning rate.

    Args:
      transformation: gives the direction to go against.
      learning_rate: of updates and decay.
      weight_decay: a number is that rate for all matrices.
      clip_norm: largest global norm of the gradient; None for no clipping.

    Raises:
      UserError: if clip_norm or the decay is out of range.
    """
    decay = as_decay(weight_decay)
    steps = [
        clip(clip_norm),
        transformation,
        optax.add_decayed_weights(decay.rate, decay.mask) if decay.rate else optax.identity(),
        optax.scale_by_learning_rate(learning_rate),
    ]
    return Optimizer(optax.chain(*steps), learning_rate)


def clip(clip_norm: float | None) -> optax.GradientTransformation:
    """Scales all gradients together down to a global norm of `clip_norm`, if it is given."""
    if clip_norm is None:
        return optax.identity()
    if not clip_norm > 0:
        raise UserError(f"clip_norm must be above 0 (or None), got {clip_norm}.")
    return optax.clip_by_global_norm(clip_norm)


def as_decay(weight_decay: Any) -> WeightDecay:
    """A number as the decay of all matrices."""
    return weight_decay if isinstance(weight_decay, WeightDecay) else WeightDecay(weight_decay)
