"""Device meshes, and from logical axis names to shardings.

The mesh always has the axes `data`, `fsdp` and `tensor`. A rule gives a logical axis the mesh axes
to try, in order; the first that is free and divides the dimension wins, else the dimension is kept
whole (and the log says so).
"""

import dataclasses
import itertools
import logging
import math
from collections.abc import Sequence
from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from t2t.errors import UserError

MESH_AXES = ("data", "fsdp", "tensor")

RULES: dict[str, tuple[str, ...]] = {
    "vocab": ("tensor",),
    "heads": ("tensor",),
    "mlp": ("tensor",),
    "embed": ("fsdp",),
}
"""Logical axis -> mesh axes to try. Names without a rule are not split."""

BATCH_AXES = ("data", "fsdp")
"""Rows of a batch are split over both."""

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class MeshShape:
    """Numbers of devices along each axis; -1, once, stands for all that are left.

    Attributes:
      data: copies of the model that see different rows.
      fsdp: shards of parameters and optimiser state, each also seeing different rows.
      tensor: shards of single matrix products.
    """

    data: int = -1
    fsdp: int = 1
    tensor: int = 1

    def mesh(self, devices: Sequence[jax.Device] | None = None) -> Mesh:
        """Makes the mesh; raises UserError unless the product is the number of devices."""
        count = len(devices or jax.devices())
        sizes = dataclasses.astuple(self)
        known = math.prod(s for s in sizes if s != -1)
        left = count // known if known > 0 else 0
        shape = tuple(left if s == -1 else s for s in sizes)
        if sizes.count(-1) > 1 or min(shape) < 1 or math.prod(shape) != count:
            raise UserError(
                f"Mesh data={self.data}, fsdp={self.fsdp}, tensor={self.tensor} does not use the "
                f"{count} device(s) here; the product must be {count}, and at most one may be -1."
            )
        auto = (AxisType.Auto,) * len(MESH_AXES)
        return jax.make_mesh(shape, MESH_AXES, axis_types=auto, devices=devices)


def partition_spec(shape: Sequence[int], logical_axes: Sequence[str], mesh: Mesh) -> PartitionSpec:
    """The split of one array."""
    free = {name for name in MESH_AXES if mesh.shape[name] > 1}
    spec: list[str | None] = []
    for size, name in zip(shape, logical_axes, strict=True):
        wanted = [axis for axis in RULES.get(name, ()) if axis in free]
        fitting = [axis for axis in wanted if size % mesh.shape[axis] == 0]
        if wanted and not fitting:
            log.info(
                "%s of %d does not divide over mesh axis %s (%d): replicated",
                name, size, wanted[0], mesh.shape[wanted[0]],
            )  # fmt: skip
        spec.append(fitting[0] if fitting else None)
        free -= set(fitting[:1])
    return PartitionSpec(*spec)


def param_shardings(abstract_params: Any, logical_axes: Any, mesh: Mesh) -> Any:
    """A tree of NamedSharding like `abstract_params`."""
    return jax.tree.map(
        lambda leaf, axes: NamedSharding(mesh, partition_spec(leaf.shape, axes, mesh)),
        abstract_params,
        logical_axes,
    )


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


def check_batch_size(rows: int, mesh: Mesh) -> None:
    """Raises UserError unless `rows` divide over the devices that see different rows."""
    ways = math.prod(mesh.shape[axis] for axis in BATCH_AXES)
    if rows % ways:
        raise UserError(
            f"A batch of {rows} rows does not divide over data x fsdp = {ways} devices; make the "
            f"batch size (per microbatch) a multiple of {ways}."
        )
