"""Hints to XLA where activations and gathered weights live, for models traced on a mesh.

`on_mesh` says which mesh; outside of it everything here returns its argument, so that models
compute on one device as they are written.
"""

import contextvars
import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from t2t.models.axis_rules import BATCH_AXES, AxisRules

P = ParamSpec("P")
T = TypeVar("T")

_current: contextvars.ContextVar[tuple[Mesh, AxisRules] | None] = contextvars.ContextVar(
    "mesh and rules", default=None
)


def on_mesh(function: Callable[P, T], mesh: Mesh, rules: AxisRules) -> Callable[P, T]:
    """`function`, to be jitted; what it traces is split over `mesh` by `rules`."""
    if mesh.size == 1:
        return function

    @functools.wraps(function)
    def traced(*args: P.args, **kwargs: P.kwargs) -> T:
        token = _current.set((mesh, rules))
        try:
            return function(*args, **kwargs)
        finally:
            _current.reset(token)

    return traced


def split(x: jax.Array, *axes: str | None, name: str = "activations") -> jax.Array:
    """`x`, whose dimensions are split as their logical axes are; None leaves one to XLA."""
    if (current := _current.get()) is None:
        return x
    mesh, rules = current
    spec = rules.spec(x.shape, axes, mesh, name)
    return jax.lax.with_sharding_constraint(x, NamedSharding(mesh, spec))


def gathered(weight: jax.Array, axes: tuple[str, ...]) -> jax.Array:
    """A parameter where it is used: whole along what splits rows, still split over `tensor`.

    Without this XLA may rather move activations, which are larger.
    """
    if (current := _current.get()) is None:
        return weight
    mesh, rules = current
    spec = PartitionSpec(*map(_without_rows, rules.spec(weight.shape, axes, mesh)))
    return jax.lax.with_sharding_constraint(weight, NamedSharding(mesh, spec))


def flattened(x: jax.Array) -> jax.Array:
    """`[..., features]` -> `[rows, features]`, but as it is where positions are split.

    They would be gathered to make rows of them.
    """
    current = _current.get()
    if current is not None and current[0].shape["sequence"] > 1:
        return x
    return x.reshape(-1, x.shape[-1])


def _without_rows(names: Any) -> tuple[str, ...] | None:
    names = (names,) if isinstance(names, str) else names or ()
    return tuple(name for name in names if name not in BATCH_AXES) or None
