"""`generate`, compiled once for each shape that its batches have."""

import time
from typing import Any

import jax
import numpy as np

from t2t.decoding.decoding import Decoding
from t2t.decoding.generate import generate
from t2t.decoding.prediction import Throughput
from t2t.decoding.strategy import Generated
from t2t.models.definition import Model, Params


class CompiledGenerate:
    """Generation with one model, its parameters and one way of decoding."""

    def __init__(
        self, model: Model, params: Params, decoding: Decoding, throughput: Throughput
    ) -> None:
        self._params, self._throughput = params, throughput
        self._jitted = jax.jit(
            lambda params, batch, seeds, active: generate(
                model.bind(params), batch, decoding, seeds=seeds, active=active
            )
        )
        self._programs: dict[tuple, Any] = {}

    def __call__(
        self, batch: dict[str, np.ndarray], seeds: np.ndarray, active: np.ndarray
    ) -> Generated:
        """Starts to generate; the arrays may have to be waited for."""
        shapes = tuple((name, x.shape) for name, x in sorted(batch.items()))
        arguments = (self._params, batch, seeds, active)
        if shapes not in self._programs:
            started = time.perf_counter()
            self._programs[shapes] = self._jitted.lower(*arguments).compile()
            self._throughput.compile_seconds += time.perf_counter() - started
            self._throughput.compilations += 1
        return self._programs[shapes](*arguments)
