"""Stochastic gradient descent."""

import optax

from t2t.training.optimizers.optimizer import Optimizer, finish
from t2t.training.schedules import Schedule


def sgd(learning_rate: Schedule, clip_norm: float | None = None) -> Optimizer:
    """Plain gradient descent: what to compare meshes with, for Adam amplifies rounding."""
    return finish(optax.identity(), learning_rate, 0.0, clip_norm)
