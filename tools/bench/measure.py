"""What the benchmark measures: t2t's train step, and the device's own rate of matrix products."""

import functools
import math
import os
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from t2t.errors import UserError
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import Model, ModelConfig
from t2t.models.encoder_only import EncoderOnly
from t2t.training.optimizers import Optimizer
from t2t.training.partitioning import BATCH_AXES, batch_sharding
from t2t.training.state import abstract_state, init_state, state_shardings
from t2t.training.step import make_train_step

Batch = dict[str, np.ndarray]


class Shape(NamedTuple):
    """Tokens per row, and parts that the rows are split into."""

    inputs_length: int
    targets_length: int
    microbatches: int


def synthetic_batch(config: ModelConfig, rows: int, shape: Shape) -> Batch:
    """Random ids without padding, under the converter's unpacked keys; int32 `[rows, length]`.

    A decoder alone reads inputs and targets as one sequence and predicts the targets; an encoder
    alone predicts every seventh of its inputs, as if it were masked.
    """
    rng = np.random.default_rng(0)

    def ids(length: int) -> np.ndarray:
        first = 3  # after padding, end of sequence and unknown, where those are the first
        return rng.integers(first, config.vocab_size, (rows, length), np.int32)

    inputs, targets = ids(shape.inputs_length), ids(shape.targets_length)
    if isinstance(config, EncoderOnly):
        return {
            "encoder_input_tokens": inputs,
            "encoder_target_tokens": ids(shape.inputs_length),
            "encoder_loss_weights": _masked(inputs),
        }
    if isinstance(config, DecoderOnly):
        whole = np.concatenate([inputs, targets], axis=1)
        weights = np.concatenate([np.zeros_like(inputs), np.ones_like(targets)], axis=1)
        return _decoder_features(whole, weights, config.tokens.start)
    features = _decoder_features(targets, np.ones_like(targets), config.tokens.start)
    return {"encoder_input_tokens": inputs, **features}


def _masked(inputs: np.ndarray) -> np.ndarray:
    """1 at every seventh token."""
    return np.broadcast_to(np.arange(inputs.shape[1]) % 7 == 3, inputs.shape).astype(np.int32)


def _decoder_features(targets: np.ndarray, weights: np.ndarray, start: int) -> Batch:
    return {
        "decoder_input_tokens": np.pad(targets, ((0, 0), (1, 0)), constant_values=start)[:, :-1],
        "decoder_target_tokens": targets,
        "decoder_loss_weights": weights,
    }


class TrainStep:
    """t2t's train step, compiled ahead for one shape; calling it does one update and waits."""

    def __init__(
        self, config: ModelConfig, optimizer: Optimizer, mesh: Mesh, rows: int, shape: Shape
    ):
        self._model, self._optimizer, self._mesh = Model(config), optimizer, mesh
        self._batch = synthetic_batch(config, rows, shape)
        self.rows = rows
        step = make_train_step(self._model, optimizer, mesh, microbatches=shape.microbatches)
        state = abstract_state(self._model, optimizer)
        self.parameters = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(state.params))
        started = time.perf_counter()
        lowered = step.lower(state, self._batch)
        self.lower_seconds = time.perf_counter() - started
        started = time.perf_counter()
        self._compiled = lowered.compile()
        self.compile_seconds = time.perf_counter() - started

    def start(self) -> None:
        """Makes the state and puts the batch on the devices."""
        shardings = state_shardings(self._model, self._optimizer, self._mesh)
        init = jax.jit(lambda: init_state(self._model, self._optimizer, 0), out_shardings=shardings)
        self._batch = jax.device_put(self._batch, batch_sharding(self._mesh))
        self._state = jax.block_until_ready(init())

    def __call__(self) -> None:
        # The old state is donated: its buffers hold the new one.
        self._state, self._metrics = self._compiled(self._state, self._batch)
        jax.block_until_ready((self._state, self._metrics))

    def loss(self) -> float:
        """Cross-entropy per token of the last step, before its update."""
        metrics = jax.device_get(self._metrics)
        return float(metrics["loss"].sum() / metrics["tokens"].sum())

    def planned_bytes(self) -> int | None:
        """Memory per device according to the compiler, if it tells."""
        plan = self._compiled.memory_analysis()
        if plan is None:
            return None
        return (
            plan.argument_size_in_bytes
            + plan.output_size_in_bytes
            + plan.temp_size_in_bytes
            - plan.alias_size_in_bytes
        )

    def peak_memory(self) -> tuple[int, str]:
        """Bytes on the fullest device, and who says so."""
        stats = [device.memory_stats() or {} for device in jax.local_devices()]
        if all("peak_bytes_in_use" in s for s in stats):
            return max(s["peak_bytes_in_use"] for s in stats), "device.memory_stats"
        planned = self.planned_bytes()
        if planned is not None:
            return planned, "XLA memory analysis of the step"
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_maxrss * 1024, "ru_maxrss of the process"


def largest_step(
    config: ModelConfig, optimizer: Optimizer, mesh: Mesh, shape: Shape
) -> tuple[TrainStep, float]:
    """The started step of the most rows that fit, 2 ** k for every device and microbatch.

    The compiler's plans for two small batches tell how memory grows with the rows; the batch that
    should fit is then tried, and halved until it does. Returns the first step's seconds too.
    """
    unit = shape.microbatches * math.prod(mesh.shape[axis] for axis in BATCH_AXES)
    build = functools.partial(TrainStep, config, optimizer, mesh, shape=shape)
    small, double = (build(rows=rows).planned_bytes() for rows in (unit, 2 * unit))
    if small is None or double is None:
        raise UserError("This device's compiler plans no memory: give --batch_size a number.")
    limit = _memory_limit()
    growth = max(double - small, 1)  # bytes per unit of rows
    units = max((limit - small) // growth + 1, 1)
    for power in reversed(range(units.bit_length())):
        tried = _try(build, unit * 2**power, limit)
        if tried:
            return tried
    raise UserError(
        f"Not even {unit} rows fit in the {limit / 2**30:.1f} GiB of this device: try --remat full "
        f"or --optimizer adafactor."
    )


def _try(build: Callable, rows: int, limit: int) -> tuple[TrainStep, float] | None:
    """The step and its first seconds, or None if memory does not suffice."""
    try:
        step = build(rows=rows)
        if step.planned_bytes() > limit:
            return None
        step.start()
        return step, timed(step)
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return None


def _memory_limit() -> int:
    """Bytes that a step may plan with on each device, with a little to spare."""
    stats = [device.memory_stats() or {} for device in jax.local_devices()]
    if all("bytes_limit" in s for s in stats):
        return int(0.95 * min(s["bytes_limit"] for s in stats))
    # A CPU: too large a batch would not raise but have the process killed.
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return int(0.7 * free / jax.local_device_count())


def matmul_rate(dtype: str) -> tuple[float, int]:
    """Best FLOP/s of square matrix products on the first device, and the size that gave it."""
    is_cpu = jax.default_backend() == "cpu"
    sizes, work = ((1024, 1536, 2048), 2e10) if is_cpu else ((4096, 6144, 8192), 2e13)
    return max((_matmul_rate(size, dtype, work), size) for size in sizes)


def _matmul_rate(size: int, dtype: str, work: float) -> float:
    multiply = jax.jit(jax.numpy.matmul)
    keys = jax.random.split(jax.random.key(0))
    x, w = (jax.random.normal(key, (size, size), dtype) for key in keys)
    w = w * size**-0.5  # so that products of products stay of the size of x
    flops = 2 * size**3
    count = max(1, round(work / flops))

    def products():
        y = x
        for _ in range(count):
            y = multiply(y, w)
        y.block_until_ready()

    products()
    return count * flops / min(timed(products) for _ in range(5))


def timed(function: Callable[[], None]) -> float:
    """Seconds of one call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def interleaved(
    runners: Mapping[str, Callable[[], None]], warmup: int, steps: int
) -> dict[str, list[float]]:
    """Seconds of each step, taken in turn, A B C A B C, so that noise hits all alike."""
    for _ in range(warmup):
        for run in runners.values():
            run()
    rounds = [{name: timed(run) for name, run in runners.items()} for _ in range(steps)]
    return {name: [seconds[name] for seconds in rounds] for name in runners}


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, extremes and interquartile range."""
    low, _, high = statistics.quantiles(values, method="inclusive") if values[1:] else values * 3
    return {
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
        "iqr": high - low,
    }
