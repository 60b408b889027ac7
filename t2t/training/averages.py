"""Averages of parameters in checkpoints, as the optimiser `with_ema` keeps them."""

from typing import Any

import jax
from etils import epath
from jax.sharding import Mesh

from t2t.models.axis_rules import AxisRules
from t2t.models.definition import Model, Params
from t2t.training.optimizers import Optimizer
from t2t.training.optimizers.averaging import EmaState, evaluated_params
from t2t.training.partial_restore import restore_part
from t2t.training.start import abstract_sharded_state
from t2t.training.stored_state import by_name


def restored_average(
    folder: epath.Path,
    params: Params,
    model: Model,
    optimizer: Optimizer,
    mesh: Mesh,
    rules: AxisRules,
) -> Params:
    """The parameters of a checkpoint that training evaluates: the average, if there is one.

    Args:
      folder: of the checkpoint.
      params: its parameters.
      model: of the run.
      optimizer: of the run, with what it is applied to.
      mesh, rules: how to share out the average.

    Raises:
      UserError: if the average cannot be read.
    """
    state = abstract_sharded_state(model, optimizer, mesh, rules).opt_state
    averages: Any = jax.tree.map(
        lambda x: x._replace(updates=None) if isinstance(x, EmaState) else None,
        state,
        is_leaf=lambda x: isinstance(x, EmaState),
    )
    wanted = by_name(averages)
    if not wanted:
        return params
    stored = restore_part(folder / "train", {"opt_state": wanted})["opt_state"]
    leaves = [stored[name] for name in wanted]
    averages = jax.tree.unflatten(jax.tree.structure(averages), leaves)
    return evaluated_params(params, averages, optimizer)
