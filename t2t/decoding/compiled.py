"""Functions of a model, compiled once for each shape of their batches."""

import functools
import time
from collections.abc import Callable
from typing import Any

import jax

from t2t.decoding.prediction import Throughput
from t2t.models.definition import Params


class Compiled:
    """`function(params, *arrays, **static)`, whose compilations are counted apart from its work."""

    def __init__(self, function: Callable[..., Any], params: Params, throughput: Throughput):
        self._function, self._params, self._throughput = function, params, throughput
        self._programs: dict[Any, Any] = {}

    def __call__(self, *arrays: Any, **static: Any) -> Any:
        """Starts to compute; the result may have to be waited for."""
        leaves, structure = jax.tree.flatten(arrays)
        shapes = (structure, *static.items(), *(leaf.shape for leaf in leaves))
        if shapes not in self._programs:
            started = time.perf_counter()
            function = jax.jit(functools.partial(self._function, **static))
            self._programs[shapes] = function.lower(self._params, *arrays).compile()
            self._throughput.compile_seconds += time.perf_counter() - started
            self._throughput.compilations += 1
        return self._programs[shapes](self._params, *arrays)
