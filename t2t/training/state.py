"""What training carries from step to step."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from t2t.models.axis_rules import AxisRules
from t2t.models.definition import Model, Params
from t2t.training.guard import GuardState
from t2t.training.optimizers import Optimizer
from t2t.training.partitioning import param_shardings, replicated, shardings_like_params


class TrainState(NamedTuple):
    """What a step takes and gives.

    Attributes:
      step: number of steps done, those whose update was skipped included; int32 scalar.
      params: all parameters.
      opt_state: of the optimiser, for trained parameters.
      guard: what `Guard` remembers.
    """

    step: jax.Array
    params: Params
    opt_state: Any
    guard: GuardState = GuardState()


def init_state(model: Model, optimizer: Optimizer, seed: int) -> TrainState:
    """A fresh state; jit with `state_shardings` as out_shardings for big models."""
    return start_from(model.init(jax.random.key(seed)), optimizer)


def start_from(params: Params, optimizer: Optimizer) -> TrainState:
    """The state before the first update."""
    trained, _ = optimizer.trainable.select(params).split(params)
    return TrainState(jnp.zeros((), jnp.int32), params, optimizer.transformation.init(trained))


def abstract_state(model: Model, optimizer: Optimizer) -> TrainState:
    """Shapes and dtypes of `init_state`, without making it."""
    return jax.eval_shape(lambda: init_state(model, optimizer, 0))


def state_shardings(
    model: Model,
    optimizer: Optimizer,
    mesh: Mesh,
    rules: AxisRules = AxisRules(),  # noqa: B008 (frozen)
) -> TrainState:
    """Where each array of the state lives: optimiser state is split like its parameters."""
    abstract = abstract_state(model, optimizer)
    params = param_shardings(abstract.params, model.logical_axes, mesh, rules)
    selection = optimizer.trainable.select(abstract.params)
    opt_state = shardings_like_params(
        abstract.opt_state, selection.abstract(abstract.params), selection.restrict(params)
    )
    whole: Any = replicated(mesh)
    return TrainState(whole, params, opt_state, GuardState(*[whole] * len(GuardState._fields)))
