"""`generate`, compiled once for each shape that its batches have."""

import dataclasses
import time
from typing import Any

import jax
import numpy as np

from t2t.decoding.decoding import Decoding
from t2t.decoding.generate import generate
from t2t.decoding.strategy import Generated
from t2t.models.definition import Model, Params


@dataclasses.dataclass
class Throughput:
    """What was generated, and how long it took.

    Attributes:
      records: that have their predictions.
      tokens: generated, ends of sequence included; of all predictions of a record.
      seconds: for that, without waiting for records and without compilation.
      compile_seconds: for compilation.
      compilations: how many.
    """

    records: int = 0
    tokens: int = 0
    seconds: float = 0.0
    compile_seconds: float = 0.0
    compilations: int = 0

    def describe(self) -> str:
        """One line for people."""
        seconds = max(self.seconds, 1e-9)
        return (
            f"{self.records:,} records in {self.seconds:.1f} s: {self.records / seconds:,.1f} "
            f"records/s, {self.tokens / seconds:,.0f} generated tokens/s; before that, "
            f"{self.compilations} compilations in {self.compile_seconds:.1f} s"
        )


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
