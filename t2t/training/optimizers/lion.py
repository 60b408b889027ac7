"""Lion."""

import optax

from t2t.training.optimizers.optimizer import Optimizer, finish
from t2t.training.optimizers.weight_decay import WeightDecay
from t2t.training.schedules import Schedule


def lion(
    learning_rate: Schedule,
    b1: float = 0.9,
    b2: float = 0.99,
    weight_decay: float | WeightDecay = 0.0,
    clip_norm: float | None = None,
) -> Optimizer:
    """Lion (https://arxiv.org/abs/2302.06675, algorithm 2): the sign of an interpolated momentum.

    Args:
      learning_rate: absolute; a third to a tenth of AdamW's (section 5).
      b1: weight of the momentum, beside the gradient, in the update.
      b2: decay of the momentum.
      weight_decay: share of each matrix removed per step, times the learning rate; three to ten
        times AdamW's.
      clip_norm: largest global norm of the gradient; None for no clipping.
    """
    return finish(optax.scale_by_lion(b1, b2), learning_rate, weight_decay, clip_norm)
