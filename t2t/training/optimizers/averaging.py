"""Moving averages of parameters."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from t2t.errors import UserError
from t2t.models.definition import Params
from t2t.training.optimizers.optimizer import Optimizer


class EmaState(NamedTuple):
    """Number of updates done (int32 scalar), and the average of trained parameters.

    To evaluate the average, the number may be None.
    """

    updates: Any
    ema: Params


def with_ema(optimizer: Optimizer, decay: float = 0.999) -> Optimizer:
    """Keeps an exponential moving average of the parameters, which is what evaluation uses.

    It begins as the initial parameters and, so as to forget them, decays faster in the first
    updates: after n by min(decay, (1 + n) / (10 + n)). Training itself does not depend on it.

    Args:
      optimizer: whose parameters are averaged.
      decay: of the average, per update.

    Raises:
      UserError: unless 0 < decay < 1.
    """
    if not 0 < decay < 1:
        raise UserError(f"with_ema.decay must be between 0 and 1, got {decay}.")
    inner = optimizer.transformation

    def init(params: Params) -> tuple[Any, EmaState]:
        copied = jax.tree.map(lambda x: jnp.array(x, copy=True), params)
        return inner.init(params), EmaState(jnp.zeros((), jnp.int32), copied)

    def update(updates, state, params):
        inner_state, (count, ema) = state
        updates, inner_state = inner.update(updates, inner_state, params)
        count = optax.safe_increment(count)
        kept = jnp.minimum(decay, (1 + count) / (10 + count))
        new = optax.apply_updates(params, updates)
        ema = jax.tree.map(lambda old, x: (kept * old + (1 - kept) * x).astype(x.dtype), ema, new)
        return updates, (inner_state, EmaState(count, ema))

    return optimizer._replace(transformation=optax.GradientTransformation(init, update))


def evaluated_params(params: Params, opt_state: Any, optimizer: Optimizer) -> Params:
    """The parameters to evaluate: the average, where there is one, of what is trained."""
    states = jax.tree.leaves(opt_state, is_leaf=lambda x: isinstance(x, EmaState))
    averages = [state.ema for state in states if isinstance(state, EmaState)]
    if not averages:
        return params
    selection = optimizer.trainable.select(params)
    _, rest = selection.split(params)
    return selection.merge(averages[0], rest)
