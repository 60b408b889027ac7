"""Notices when JAX compiles."""

import contextlib
import logging
import time
from collections.abc import Callable

import jax

from t2t.training.clock import Clock
from t2t.training.state import TrainState
from t2t.training.step import Batch, Metrics

log = logging.getLogger(__name__)

_ALL: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
_COMPILED = "/jax/core/compile/backend_compile_duration"


class Compilations:
    """Counts programs compiled, or read from the cache of them, while entered."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> "Compilations":
        jax.monitoring.register_event_duration_secs_listener(self._listen)
        return self

    def __exit__(self, *_):
        jax.monitoring.unregister_event_duration_listener(self._listen)

    def _listen(self, event: str, duration_secs: float, **kwargs: str | int) -> None:
        del duration_secs, kwargs
        if event == _COMPILED:
            self.count += 1


class CompiledStep:
    """A train step that may be compiled once, and after that fetches nothing from devices.

    Time to compile is the clock's "compilation". A step that is compiled again is a warning in the
    log: batches of another shape or type, or a state elsewhere than before, are slow steps.
    """

    def __init__(
        self,
        step: Callable[[TrainState, Batch], tuple[TrainState, Metrics]],
        compilations: Compilations,
        clock: Clock,
    ):
        self._step, self._compilations, self._clock = step, compilations, clock
        self._compiled = False

    def __call__(self, state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        """Dispatches the step."""
        before, began = self._compilations.count, time.perf_counter()
        # Compiling may fetch constants.
        allowed = jax.transfer_guard_device_to_host("disallow") if self._compiled else _ALL
        with allowed:
            result = self._step(state, batch)
        if self._compilations.count > before:
            seconds = time.perf_counter() - began
            self._clock.claim("compilation", seconds)
            if self._compiled:
                log.warning(
                    "the training step was compiled again, which took %.1f s: the shapes or types "
                    "of its batch are others than before (%s)",
                    seconds,
                    ", ".join(f"{k} {v.dtype}{list(v.shape)}" for k, v in sorted(batch.items())),
                )
            self._compiled = True
        return result
