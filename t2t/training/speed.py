"""How fast training is and what it needs, for the log; none of it is the same twice."""

import contextlib
import dataclasses
import math
import resource
import sys
import time
from collections.abc import Mapping

import jax

from t2t.errors import UserError
from t2t.planning.chips import chip_of
from t2t.training.clock import STEP
from t2t.training.run_directory import RunDirectory
from t2t.training.throughput import Window

PREFIX = "perf/"
"""Of all these values in the log, and of no others: what is not deterministic."""

PRODUCTIVE = f"{PREFIX}productive_seconds"


@dataclasses.dataclass
class Speed:
    """Makes the values of a log line.

    Attributes:
      tokens: of a batch, all positions.
      flops: operations of a step, as `flops.train_flops` counts them.
      devices: that share them.
      peak_flops: operations per second of one of them; None if that is not known.
      began: when the run was first started, in seconds since the epoch.
      productive: seconds of steps that count, before this process.
    """

    tokens: int
    flops: float
    devices: int
    peak_flops: float | None
    began: float
    productive: float

    def values(self, window: Window, seconds: Mapping[str, float]) -> dict[str, float]:
        """Of the steps in a window, of which the `Clock` says `seconds`.

        * `<activity>_seconds`: as the clock says; those of a step include that of the devices.
        * `step_time`: seconds from one step to the next, data included; without compilation,
          checkpoints and evaluations. Tokens per second and MFU are per this time.
        * `productive_seconds`: of steps whose update was done, without waiting for data.
        * `goodput`: the sum of these over the run so far, by the time since its first start. What
          was lost and done again counts once.
        """
        values = {f"{name}_seconds": value for name, value in seconds.items()}
        training = seconds[STEP] + seconds.get("data", 0.0)
        if window.steps and training > 0:
            per_step = training / window.steps
            productive = seconds[STEP] * window.done / window.steps
            self.productive += productive
            values |= {
                "step_time": per_step,
                "steps_per_second": 1 / per_step,
                "tokens_per_second": self.tokens / per_step,
                "target_tokens_per_second": window.target_tokens / training,
                "productive_seconds": productive,
            }
            if self.peak_flops:
                values["mfu"] = self.flops / per_step / (self.devices * self.peak_flops)
        if (since := time.time() - self.began) > 0:  # clocks can be set back
            values["goodput"] = min(self.productive / since, 1.0)
        values["memory_bytes"] = memory_bytes()
        return {PREFIX + name: float(value) for name, value in values.items()}


def first_start(run: RunDirectory) -> float:
    """When the run was first started, in seconds since the epoch; now, if it was not yet."""
    with contextlib.suppress(OSError, ValueError):
        return float(run.started.read_text(encoding="utf-8"))
    now = time.time()
    if jax.process_index() == 0:
        run.write(run.started, f"{now:.3f}\n")
    return now


def peak_flops_of(device: jax.Device, given: float | None = None) -> float | None:
    """Operations per second of dense bfloat16 products, as published; None where nobody says so.

    Args:
      device: any of those that are used.
      given: what to take instead.
    """
    if given is not None:
        if not (given > 0 and math.isfinite(given)):
            raise UserError(f"train.peak_flops must be above 0 (or None), got {given}.")
        return given
    try:
        return chip_of(device.device_kind).bf16_flops
    except UserError:
        return None


def memory_bytes() -> int:
    """The most that one of this process's devices held so far; without such, the process itself."""
    stats = [device.memory_stats() for device in jax.local_devices()]
    peaks = [s["peak_bytes_in_use"] for s in stats if s and "peak_bytes_in_use" in s]
    if peaks:
        return max(peaks)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
