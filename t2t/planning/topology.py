"""Devices to compile for that need not be there: `v5e:16x16`, `2*v5e:16x16`, `cpu:8`, `h200:8`.

TPU programs come from the TPU compiler in libtpu. Without such a thing for GPUs, their programs are
compiled for as many CPU devices; see `Topology.exact`.
"""

import dataclasses
import importlib.util
import math
import os
import re
from typing import Any

import jax
from jax.experimental import topologies

from t2t.errors import UserError, did_you_mean
from t2t.planning.chips import Chip, chip_of

_SETTINGS = {
    "TPU_SKIP_MDS_QUERY": "1",  # there is no metadata server to ask
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",  # of this machine; any, for it has none
    "TPU_WORKER_HOSTNAMES": "localhost",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",  # nothing is attached, so nothing is shared
    "TPU_STDERR_LOG_LEVEL": "3",
    "TPU_MIN_LOG_LEVEL": "3",
    "TPU_LOG_DIR": "disabled",
}

_TPUS = {
    "v4": ("2x2x1", "2x2x2", "2x2x4", "2x4x4", "4x4x4", "4x4x8", "4x8x8", "8x8x8", "8x8x16"),
    "v5e": ("1x1", "2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16"),
    "v5p": ("2x2x1", "2x2x2", "2x2x4", "2x4x4", "4x4x4", "4x4x8", "4x8x8", "8x8x8", "8x8x16"),
    "v6e": ("1x1", "2x2", "2x4", "4x4", "4x8", "8x8", "8x16", "16x16"),
}
"""Kinds of chip, and shapes that are rented; other shapes of whole hosts compile, too."""

_GPUS = ("a100", "h100", "h200", "b200")

_EXAMPLES = "v5e:2x2, v5p:4x4x8, 2*v5e:16x16 (two slices), h200:8, cpu:8"


@dataclasses.dataclass(frozen=True)
class Topology:
    """What a program is compiled for.

    Attributes:
      name: as the user gave it.
      devices: of JAX, one per chip, not attached unless they are CPUs.
      chip: its rates; None for CPUs.
      slices: groups of chips that only a data-centre network connects.
      exact: whether the compiler is that of the chip, so that its memory is what the chip will
        need; else temporaries are those of a program for CPUs, an estimate.
    """

    name: str
    devices: tuple[Any, ...]
    chip: Chip | None
    slices: int
    exact: bool


def open_topology(name: str) -> Topology:
    """Reads a name; call it before anything computes, for it sets up JAX.

    Raises:
      UserError: for a name that is none, a shape that the chips are not sold in, or without libtpu.
    """
    found = re.fullmatch(r"(?:(\d+)\*)?(\w+):(\d+(?:x\d+)*)", name.strip())
    kinds = ("cpu", *_TPUS, *_GPUS)
    if not found:
        raise UserError(f"--topology={name} is no topology. Examples: {_EXAMPLES}.")
    slices, kind, shape = int(found[1] or 1), found[2], found[3]
    if kind not in kinds:
        raise UserError(
            f"--topology={name}: '{kind}' is no kind of device that is known."
            f"{did_you_mean(kind, kinds)} Known are {', '.join(kinds)}; examples: {_EXAMPLES}."
        )
    sizes = [int(size) for size in shape.split("x")]
    if slices < 1 or min(sizes) < 1:
        raise UserError(f"--topology={name} has no devices.")
    if kind in _TPUS:
        return _tpu(name, slices, kind, shape)
    if len(sizes) > 1 or slices > 1:
        raise UserError(f"--topology={name}: write the number of devices, {kind}:8.")
    chip = None if kind == "cpu" else chip_of(kind)
    return Topology(name, _cpu_devices(sizes[0]), chip, slices, exact=kind == "cpu")


def _tpu(name: str, slices: int, kind: str, shape: str) -> Topology:
    known = f"{did_you_mean(shape, _TPUS[kind])} Shapes of {kind}: {', '.join(_TPUS[kind])}."
    dimensions = _TPUS[kind][0].count("x") + 1
    if shape.count("x") + 1 != dimensions:
        raise UserError(f"--topology={name}: a slice of {kind} has {dimensions} sides.{known}")
    if importlib.util.find_spec("libtpu") is None:
        raise UserError(
            f"--topology={name} needs the compiler for TPUs, libtpu, which is not installed: "
            f"`pip install 't2t[tpu]'`. It needs no TPU."
        )
    for key, value in _SETTINGS.items():
        os.environ.setdefault(key, value)
    _use_cpus()
    options: dict[str, Any] = {"num_slices": slices}
    if kind == "v4":
        options["chip_config_name"] = "megacore"  # as on TPU VMs: one device per chip
    if math.prod(map(int, shape.split("x"))) == 1:
        options["chips_per_host_bounds"] = [1, 1, 1]
    try:
        found = topologies.get_topology_desc(f"{kind}:{shape}", platform="tpu", **options)
    except jax.errors.JaxRuntimeError as error:
        raise UserError(
            f"--topology={name}: the TPU compiler refuses it ({str(error).splitlines()[0]}).{known}"
        ) from error
    return Topology(name, tuple(found.devices), chip_of(f"{kind}:{shape}"), slices, exact=True)


def _cpu_devices(count: int) -> tuple[Any, ...]:
    _use_cpus(count)
    devices = jax.devices("cpu")
    if len(devices) < count:
        raise UserError(
            f"{count} CPU devices are wanted, but JAX runs with {len(devices)} already: open the "
            f"topology before anything else, or set JAX_NUM_CPU_DEVICES={count}."
        )
    return tuple(devices[:count])


def _use_cpus(count: int | None = None) -> None:
    """So that no accelerator of this machine is taken; without effect once JAX runs."""
    try:
        jax.config.update("jax_platforms", "cpu")
        now = jax.config.jax_num_cpu_devices  # type: ignore[attr-defined]
        if count is not None and count > now:
            jax.config.update("jax_num_cpu_devices", count)
    except RuntimeError:  # JAX has its devices already
        pass
