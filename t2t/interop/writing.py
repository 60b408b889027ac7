"""Our parameters as their tensors, by a table."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from t2t.interop.tables import Constant, Part, Table
from t2t.interop.transforms import Shape
from t2t.models.parameter_paths import flatten, shapes_of


@dataclasses.dataclass(frozen=True)
class Tensors:
    """Tensors that are computed together, when asked for.

    Attributes:
      shapes: by name.
      compute: returns the arrays, float32, in the order of `shapes`.
    """

    shapes: Mapping[str, Shape]
    compute: Callable[[], tuple[np.ndarray, ...]]


def their_tensors(table: Table, params: Mapping[str, Any]) -> Iterator[Tensors]:
    """Yields their tensors in the order of the table; memory holds what `compute` last returned."""
    flat = flatten(params)
    for part in table.parts(shapes_of(params)):
        shapes = dict(zip(part.names, part.their_shapes, strict=True))
        yield Tensors(shapes, functools.partial(_compute, part, flat))
        for name in part.copies:
            copied = {name: part.their_shapes[0]}
            yield Tensors(copied, functools.partial(_compute, part, flat))
    for constant in table.constants:
        shapes = {constant.theirs: constant.shape}
        yield Tensors(shapes, functools.partial(_fill, constant))


def write_tensors(table: Table, params: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """All of their tensors at once, by name."""
    return {
        name: array
        for tensors in their_tensors(table, params)
        for name, array in zip(tensors.shapes, tensors.compute(), strict=True)
    }


def _compute(part: Part, flat: Mapping[str, Any]) -> tuple[np.ndarray, ...]:
    leaves = [flat[path] for path in part.rule.our_paths]
    if part.layer is not None:
        leaves = [leaf[part.layer] for leaf in leaves]
    return part.rule.transform.to_theirs(tuple(np.asarray(leaf, np.float32) for leaf in leaves))


def _fill(constant: Constant) -> tuple[np.ndarray, ...]:
    return (np.full(constant.shape, constant.value, np.float32),)
