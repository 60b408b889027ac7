"""Tables of a model's parameters: names, shapes, logical axes, splits, and sums by module."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from jax.sharding import Mesh

from t2t.models.axis_rules import AxisRules
from t2t.models.definition import Model, ModelConfig
from t2t.models.parameter_paths import flatten


def parameter_count(config: ModelConfig) -> int:
    """Number of parameters; those that two places share count once."""
    return sum(counts(Model(config).abstract_params).values())


def counts(abstract_params: Any) -> dict[str, int]:
    """Numbers by name, such as "encoder/layers/mlp/wo/kernel"."""
    return {name: math.prod(leaf.shape) for name, leaf in flatten(abstract_params).items()}


def parameter_table(
    model: Model,
    mesh: Mesh,
    rules: AxisRules = AxisRules(),  # noqa: B008 (frozen)
) -> str:
    """One line per parameter, and the total on the last."""
    axes, numbers = flatten(model.logical_axes), counts(model.abstract_params)
    rows = [("parameter", "shape", "axes", "split", "count")]
    for name, leaf in flatten(model.abstract_params).items():
        split = rules.spec(leaf.shape, axes[name], mesh, name)
        rows.append(
            (
                name,
                "x".join(map(str, leaf.shape)),
                ", ".join(axes[name]),
                ", ".join(str(s or "-") for s in split),
                f"{numbers[name]:,}",
            )
        )
    return "\n".join([*aligned(rows), f"{sum(numbers.values()):,} parameters in all"])


def module_table(model: Model) -> str:
    """Sums by module, the parts of layers of a stack apart, and their share of the total."""
    sums: Counter[str] = Counter()
    numbers = counts(model.abstract_params)
    for name, number in numbers.items():
        for depth in range(1, len(name.split("/"))):
            parts = name.split("/")[:depth]
            if depth <= 2 or (depth == 3 and parts[1] == "layers"):
                sums["/".join(parts)] += number
    total = sum(numbers.values())
    rows = [("module", "parameters", "share")]
    rows += [
        (
            "  " * module.count("/") + module.rsplit("/", 1)[-1],
            f"{number:,}",
            f"{number / total:.1%}",
        )
        for module, number in sums.items()
    ]
    return "\n".join(aligned(rows))


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows of cells as lines of columns."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(r, widths, strict=True)) for r in rows]
    return [line.rstrip() for line in lines]
