"""A table of a model's parameters: names, shapes, logical axes, splits."""

import math

import jax
from jax.sharding import Mesh

from t2t.models.definition import Model, ModelConfig
from t2t.training.partitioning import partition_spec


def parameter_count(config: ModelConfig) -> int:
    """Number of parameters; those that two places share count once."""
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(Model(config).abstract_params))


def parameter_table(model: Model, mesh: Mesh) -> str:
    """One line per parameter, and the total on the last."""
    axes = dict(
        jax.tree_util.tree_leaves_with_path(
            model.logical_axes, is_leaf=lambda x: isinstance(x, tuple)
        )
    )
    rows = [("parameter", "shape", "axes", "split", "count")]
    total = 0
    for path, leaf in jax.tree_util.tree_leaves_with_path(model.abstract_params):
        count = math.prod(leaf.shape)
        total += count
        split = partition_spec(leaf.shape, axes[path], mesh)
        rows.append(
            (
                jax.tree_util.keystr(path, simple=True, separator="."),
                "x".join(map(str, leaf.shape)),
                ", ".join(axes[path]),
                ", ".join(str(s or "-") for s in split),
                f"{count:,}",
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(r, widths, strict=True)) for r in rows]
    return "\n".join([line.rstrip() for line in lines] + [f"{total:,} parameters in all"])
