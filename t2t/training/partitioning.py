"""Device meshes, and what of training's state and batches is where on them."""

import dataclasses
import itertools
import logging
import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import mesh_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from t2t.errors import UserError
from t2t.models.axis_rules import BATCH_AXES, MESH_AXES, AxisRules

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class MeshShape:
    """Numbers of devices along each axis; -1, once, stands for all that are left.

    Attributes:
      data: copies of the model that see different rows.
      fsdp: shards of parameters and optimiser state, each also seeing different rows.
      tensor: shards of single matrix products.
      sequence: shards of the length of activations.
      slices: groups of devices with a slow network between them, over which only `data` goes; it
        is a multiple of their number. None for what the devices say, 1 on most.
      rules: which of these axes split which dimensions.
    """

    data: int = -1
    fsdp: int = 1
    tensor: int = 1
    sequence: int = 1
    slices: int | None = None
    rules: AxisRules = AxisRules()  # noqa: RUF009 (frozen)

    def mesh(self, devices: Sequence[jax.Device] | None = None) -> Mesh:
        """Makes the mesh.

        Raises:
          UserError: unless the product is the number of devices, `data` a multiple of the slices,
            and their number that of the devices.
        """
        devices = list(devices or jax.devices())
        shape = self._sizes(len(devices))
        slices = self._slices(devices)
        if shape[0] % slices:
            raise UserError(
                f"MeshShape.data is {shape[0]}, but there are {slices} slices, and only data goes "
                f"over the network between them: make it a multiple of {slices}."
            )
        inner, outer = (shape[0] // slices, *shape[1:]), (slices, *(1 for _ in shape[1:]))
        if slices == 1 or _slice_numbers(devices) is None:
            parts = np.split(np.array(devices), slices)
            arranged = np.concatenate([_arranged(inner, list(part)) for part in parts])
        else:
            arranged = mesh_utils.create_hybrid_device_mesh(
                inner, outer, devices, allow_split_physical_axes=True
            )
        return Mesh(arranged, MESH_AXES, axis_types=(AxisType.Auto,) * len(MESH_AXES))

    def or_data(self, devices: Sequence[jax.Device] | None = None) -> "MeshShape":
        """This, or where it does not fit the devices (None: all), all of them along `data`.

        For the use of a model that was trained elsewhere.
        """
        try:
            self.mesh(devices)
        except UserError as error:
            count = len(devices or jax.devices())
            log.info("whole parameters on each of %d device(s) here: %s", count, error)
            return MeshShape(rules=self.rules)
        return self

    def _sizes(self, count: int) -> tuple[int, ...]:
        sizes = tuple(getattr(self, name) for name in MESH_AXES)
        known = math.prod(s for s in sizes if s != -1)
        left = count // known if known > 0 else 0
        shape = tuple(left if s == -1 else s for s in sizes)
        if sizes.count(-1) > 1 or min(shape) < 1 or math.prod(shape) != count:
            given = ("data", "fsdp", "tensor", *(("sequence",) if self.sequence != 1 else ()))
            raise UserError(
                f"Mesh {', '.join(f'{name}={getattr(self, name)}' for name in given)} does not use "
                f"the {count} device(s) here; the product must be {count}, and at most one may be "
                f"-1."
            )
        return shape

    def _slices(self, devices: Sequence[jax.Device]) -> int:
        numbers = _slice_numbers(devices)
        found = None if numbers is None else len(numbers)
        slices = self.slices or found or 1
        if found not in (None, slices):
            raise UserError(f"MeshShape.slices is {slices}, but the devices are of {found} slices.")
        if slices < 1 or len(devices) % slices:
            raise UserError(
                f"MeshShape.slices = {slices} does not divide the {len(devices)} device(s) here."
            )
        return slices


def _arranged(shape: Sequence[int], devices: Sequence[jax.Device]) -> np.ndarray:
    """Devices such that neighbours on the mesh are near; an axis may be a part of one of a torus.

    A torus of 4 x 4 x 4 chips has no axis of 2 or of 32 otherwise.
    """
    return mesh_utils.create_device_mesh(shape, devices, allow_split_physical_axes=True)


def _slice_numbers(devices: Sequence[jax.Device]) -> set[int] | None:
    """Which slices there are; None where devices do not say."""
    numbers: set[Any] = {getattr(device, "slice_index", None) for device in devices}
    return None if None in numbers else numbers


def param_shardings(
    abstract_params: Any,
    logical_axes: Any,
    mesh: Mesh,
    rules: AxisRules = AxisRules(),  # noqa: B008 (frozen)
) -> Any:
    """A tree of NamedSharding like `abstract_params`."""

    def sharding(path, leaf, axes):
        name = "/".join(str(key.key) for key in path)
        return NamedSharding(mesh, rules.spec(leaf.shape, axes, mesh, name))

    return jax.tree_util.tree_map_with_path(sharding, abstract_params, logical_axes)


def shardings_like_params(tree: Any, abstract_params: Any, shardings: Any) -> Any:
    """Shardings for optimiser state: leaves are split as the parameter whose path theirs contains.

    A leaf with the parameter's shape gets its split; one that lacks a single dimension (a factored
    second moment) gets the split of the others; everything else is replicated.
    """
    params = dict(jax.tree_util.tree_leaves_with_path(abstract_params))
    splits = dict(jax.tree_util.tree_leaves_with_path(shardings))
    replicated = NamedSharding(jax.tree.leaves(shardings)[0].mesh, PartitionSpec())

    def visit(path, leaf):
        for start, end in itertools.combinations(range(len(path) + 1), 2):
            name = path[start:end]
            if name in params:
                return _reduced(leaf.shape, params[name].shape, splits[name])
        return replicated

    return jax.tree_util.tree_map_with_path(visit, tree)


def _reduced(shape: Sequence[int], full: Sequence[int], sharding: NamedSharding) -> NamedSharding:
    spec = (*sharding.spec, *[None] * (len(full) - len(sharding.spec)))
    candidates = [tuple(range(len(full)))]
    candidates += [tuple(i for i in range(len(full)) if i != drop) for drop in range(len(full))]
    for kept in candidates:
        if tuple(full[i] for i in kept) == tuple(shape):
            return NamedSharding(sharding.mesh, PartitionSpec(*(spec[i] for i in kept)))
    return NamedSharding(sharding.mesh, PartitionSpec())


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Rows over `data` and `fsdp`."""
    return NamedSharding(mesh, PartitionSpec(BATCH_AXES))


def replicated(mesh: Mesh) -> NamedSharding:
    """Every device holds the whole array."""
    return NamedSharding(mesh, PartitionSpec())


def check_batch_size(rows: int, mesh: Mesh, *, microbatches: int = 1, hosts: int = 1) -> None:
    """Raises UserError unless a global batch divides evenly.

    Args:
      rows: of the batch.
      mesh: whose `data` and `fsdp` devices see different rows.
      microbatches: parts of the batch, each of which is split over those devices.
      hosts: that each read rows of their own; they divide those devices evenly.
    """
    if microbatches < 1:
        raise UserError(f"There must be at least 1 microbatch, got {microbatches}.")
    ways = math.prod(mesh.shape[axis] for axis in BATCH_AXES)
    unit = microbatches * ways
    if rows > 0 and rows % unit == 0:
        return
    if hosts > 1 and rows % hosts:
        over = f"{hosts} hosts"
    elif rows % microbatches:
        over = f"{microbatches} microbatches"
    else:
        parts = f"{microbatches} microbatches, each over " if microbatches > 1 else ""
        over = f"{parts}data x fsdp = {ways} devices"
    below = max(rows, 0) // unit * unit
    nearest = f"{below} or {below + unit}" if below else f"{unit}"
    raise UserError(
        f"A batch of {rows} rows does not divide over {over}; make it a multiple of {unit}, such "
        f"as {nearest}."
    )
