"""Functions of a model, compiled once for each shape of their batches."""

import functools
import time
from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import Mesh, NamedSharding

from t2t.decoding.prediction import Throughput
from t2t.models.activation_sharding import on_mesh
from t2t.models.axis_rules import AxisRules
from t2t.models.definition import Params


class Compiled:
    """`function(params, *arrays, **static)`, whose compilations are counted apart from its work.

    If the parameters are on a mesh of this process's devices, rows are shared among these.
    """

    def __init__(self, function: Callable[..., Any], params: Params, throughput: Throughput):
        self._params, self._throughput = params, throughput
        self._mesh, self._rules = _mesh_of(params), AxisRules()
        self._function = on_mesh(function, self._mesh, self._rules) if self._mesh else function
        self._programs: dict[Any, Any] = {}

    def __call__(self, *arrays: Any, **static: Any) -> Any:
        """Starts to compute; the result may have to be waited for."""
        if self._mesh:
            arrays = jax.tree.map(self._placed, arrays)
        leaves, structure = jax.tree.flatten(arrays)
        shapes = (structure, *static.items(), *(leaf.shape for leaf in leaves))
        if shapes not in self._programs:
            started = time.perf_counter()
            function = jax.jit(functools.partial(self._function, **static))
            self._programs[shapes] = function.lower(self._params, *arrays).compile()
            self._throughput.compile_seconds += time.perf_counter() - started
            self._throughput.compilations += 1
        return self._programs[shapes](self._params, *arrays)

    def _placed(self, array: Any) -> jax.Array:
        """With its rows shared among the devices, if they divide evenly."""
        assert self._mesh
        spec = self._rules.spec(array.shape[:1], ("batch",)[: array.ndim], self._mesh)
        return jax.device_put(array, NamedSharding(self._mesh, spec))


def _mesh_of(params: Params) -> Mesh | None:
    """Where the parameters are, if on several devices that all belong to this process."""
    sharding = getattr(next(iter(jax.tree.leaves(params)), None), "sharding", None)
    if not isinstance(sharding, NamedSharding) or not sharding.is_fully_addressable:
        return None
    mesh = sharding.mesh
    return mesh if isinstance(mesh, Mesh) and mesh.size > 1 else None
