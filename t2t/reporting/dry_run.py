"""What `t2t train --dry_run` prints: the model, what a step costs, what a device holds."""

import math
from collections.abc import Mapping
from typing import Any

import jax
from jax.sharding import Mesh

from t2t.models.axis_rules import AxisRules
from t2t.models.definition import Model
from t2t.reporting.parameters import module_table, parameter_table
from t2t.training.flops import forward_flops, train_flops
from t2t.training.optimizers import Optimizer
from t2t.training.state import abstract_state, state_shardings


def dry_run_report(
    model: Model,
    optimizer: Optimizer,
    mesh: Mesh,
    row_lengths: Mapping[str, int],
    batch_size: int,
    predicts_tokens: bool = True,
    rules: AxisRules = AxisRules(),  # noqa: B008 (frozen)
) -> str:
    """All of it as text.

    Args:
      model: to be trained.
      optimizer: that trains it.
      mesh: of devices.
      row_lengths: tokens of a row, by axis; see `FeatureConverter.row_lengths`.
      batch_size: rows per step.
      predicts_tokens: whether the loss is of tokens, so that there are logits over the vocabulary.
      rules: which axes of the mesh split what.
    """
    lengths = row_lengths.get("inputs", 0), row_lengths.get("targets", 0)
    tokens = max(sum(lengths), 1)
    forward = forward_flops(model.config, *lengths, predicts_tokens) / tokens
    step = train_flops(model.config, *lengths, batch_size, predicts_tokens)
    abstract = abstract_state(model, optimizer)
    shardings = state_shardings(model, optimizer, mesh, rules)
    params, state = (
        _bytes_per_device(getattr(abstract, name), getattr(shardings, name))
        for name in ("params", "opt_state")
    )
    shape = " x ".join(f"{name} {size}" for name, size in mesh.shape.items())
    return "\n".join(
        [
            parameter_table(model, mesh, rules),
            "",
            module_table(model),
            "",
            f"FLOPs (matrix products; a training step is three forward passes), rows of {tokens:,} "
            f"tokens:",
            f"  forward, per token    {_amount(forward)}",
            f"  training, per token   {_amount(step / batch_size / tokens)}",
            f"  training, per step    {_amount(step)} ({batch_size:,} rows)",
            "",
            f"Bytes on each of {math.prod(mesh.shape.values())} device(s), {shape}:",
            f"  parameters            {_amount(params)}",
            f"  optimizer state       {_amount(state)}",
        ]
    )


def _bytes_per_device(abstract: Any, shardings: Any) -> int:
    sizes = jax.tree.map(
        lambda leaf, sharding: math.prod(sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize,
        abstract,
        shardings,
    )
    return sum(jax.tree.leaves(sizes))


def _amount(number: float) -> str:
    """Three digits and a prefix: 1.23 G."""
    for power, prefix in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= power:
            return f"{number / power:.3g} {prefix}"
    return f"{number:.3g}"
