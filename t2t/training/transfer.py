"""Taking parameters from stored ones of other models: what to read, and how to fit it in."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from t2t.models.definition import Params
from t2t.models.parameter_paths import flatten, unflatten


@dataclasses.dataclass(frozen=True)
class Take:
    """One parameter of a source.

    Attributes:
      source: number of the source.
      name: path of the parameter there.
      shape: its shape there.
      layers: which of its layers, in this order; None for all, or if it is of no stack.
    """

    source: int
    name: str
    shape: tuple[int, ...]
    layers: tuple[int, ...] | None = None

    @property
    def selected_shape(self) -> tuple[int, ...]:
        """The shape of the chosen layers."""
        return self.shape if self.layers is None else (len(self.layers), *self.shape[1:])


@dataclasses.dataclass(frozen=True)
class Transfer:
    """Where each parameter of a model comes from.

    Attributes:
      target: shapes, dtypes and shardings of the model, by path.
      takes: what is taken, by path; a dimension that is larger here is filled up with fresh
        values, and what is not named is fresh as a whole.
    """

    target: Mapping[str, Any]
    takes: Mapping[str, Take]

    def wanted(self, source: int) -> Params:
        """The part of a source that is used: shapes of there, dtypes and shardings of here."""
        flat: dict[str, jax.ShapeDtypeStruct] = {}
        for path, take in self.takes.items():
            if take.source == source:
                flat.setdefault(take.name, _with_shape(self.target[path], take.shape))
        return unflatten(flat)

    def assemble(self, init: Callable[[], Params], loaded: Sequence[Params]) -> Params:
        """The parameters.

        Args:
          init: draws all of them; run under `jit`, so that no more than needed are made.
          loaded: for each source, arrays as `wanted` asks for.
        """
        grown = {p for p, take in self.takes.items() if take.selected_shape != self._shape(p)}
        drawn = self._draw(init, (self.target.keys() - self.takes.keys()) | grown)
        sources = [flatten(tree) for tree in loaded]
        params = {path: array for path, array in drawn.items() if path not in grown}
        to_fit = {}
        used = set()
        for path, take in self.takes.items():
            array = sources[take.source][take.name]
            origin = (take.source, take.name)
            if take.layers is None and path not in grown and origin not in used:
                params[path] = array
                used.add(origin)
            else:  # copied even if it fits: training steps donate each parameter's memory
                to_fit[path] = array
        return unflatten(params | self._fit(to_fit, {path: drawn[path] for path in grown}))

    def _shape(self, path: str) -> tuple[int, ...]:
        return tuple(self.target[path].shape)

    def _draw(self, init: Callable[[], Params], paths: set[str]) -> dict[str, jax.Array]:
        def draw():
            flat = flatten(init())
            return {path: flat[path] for path in paths}

        return jax.jit(draw, out_shardings={path: self.target[path].sharding for path in paths})()

    def _fit(self, old: dict[str, Any], fresh: dict[str, jax.Array]) -> dict[str, jax.Array]:
        def fit(path, array, fresh):
            layers = self.takes[path].layers
            array = jnp.copy(array) if layers is None else array[np.array(layers)]
            if fresh is None:
                return array
            return jax.lax.dynamic_update_slice(fresh, array, (0,) * array.ndim)

        fitted = jax.jit(
            lambda old, fresh: {path: fit(path, x, fresh.get(path)) for path, x in old.items()},
            out_shardings={path: self.target[path].sharding for path in old},
        )
        return fitted(old, fresh)


def _with_shape(target: Any, shape: tuple[int, ...]) -> jax.ShapeDtypeStruct:
    """`target` with another shape, whole on every device if the shape does not divide."""
    sharding = target.sharding
    if isinstance(sharding, NamedSharding):
        try:
            sharding.shard_shape(shape)
        except ValueError:
            sharding = NamedSharding(sharding.mesh, PartitionSpec())
    return jax.ShapeDtypeStruct(shape, target.dtype, sharding=sharding)
