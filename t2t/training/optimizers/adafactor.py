"""Adafactor."""

import re

import jax.numpy as jnp
import optax

from t2t.training.optimizers.layers import per_layer
from t2t.training.optimizers.optimizer import Optimizer, as_decay, clip, finish
from t2t.training.optimizers.weight_decay import WeightDecay
from t2t.training.schedules import Schedule


def adafactor(
    learning_rate: Schedule,
    decay_rate: float = 0.8,
    decay_offset: int = 0,
    clipping_threshold: float | None = 1.0,
    multiply_by_parameter_scale: bool = True,
    min_dim_size_to_factor: int = 128,
    not_factored: tuple[str, ...] = (),
    momentum: float | None = None,
    weight_decay: float | WeightDecay = 0.0,
    clip_norm: float | None = None,
) -> Optimizer:
    """Adafactor (https://arxiv.org/abs/1804.04235, algorithms 4 to 8) as T5 and T5X use it.

    Second moments of a matrix are kept as means over its rows and over its columns. Kernels are
    stored as `[inputs, outputs]`, heads among one or the other, so these are T5X's factors by
    logical axes; layers of a stack have factors, scale and clipping of their own.

    Args:
      learning_rate: relative to each matrix's root mean square, if `multiply_by_parameter_scale`.
      decay_rate: second moments decay by 1 - step ** -decay_rate.
      decay_offset: steps that `step` there lacks: to fine-tune from an optimiser's state, the
        number of its last step, so that the moments forget.
      clipping_threshold: largest root mean square of an update before scaling.
      multiply_by_parameter_scale: scale updates by max(1e-3, RMS of the parameter).
      min_dim_size_to_factor: matrices with a smaller dimension keep full second moments.
      not_factored: regular expressions over names (`re.fullmatch`); what they match keeps full
        second moments whatever its size.
      momentum: decay of the moving average of updates, those of the paper's section 3; None for
        none, as T5 does.
      weight_decay: share of each weight removed per step, times the learning rate.
      clip_norm: largest global norm of the gradient; None for no clipping.
    """
    patterns = [re.compile(pattern) for pattern in not_factored]

    def inner(path: str) -> optax.GradientTransformation:
        return optax.chain(
            optax.scale_by_factored_rms(
                factored=not any(pattern.fullmatch(path) for pattern in patterns),
                decay_rate=decay_rate,
                step_offset=decay_offset,
                min_dim_size_to_factor=min_dim_size_to_factor,
            ),
            optax.clip_by_block_rms(clipping_threshold) if clipping_threshold else optax.identity(),
            optax.scale_by_param_block_rms() if multiply_by_parameter_scale else optax.identity(),
        )

    if momentum is None:
        return finish(per_layer(inner), learning_rate, weight_decay, clip_norm)
    # Updates are averaged as they are applied, each with the rate of its step; decay is not.
    decay = as_decay(weight_decay)
    steps = [
        clip(clip_norm),
        per_layer(inner),
        optax.scale_by_learning_rate(learning_rate),
        optax.ema(momentum, debias=False),
        optax.add_decayed_weights(
            lambda step: -decay.rate * jnp.asarray(learning_rate(step)), decay.mask
        ),
    ]
    return Optimizer(optax.chain(*steps), learning_rate)
