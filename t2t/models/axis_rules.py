"""Which axes of a device mesh split which dimensions of arrays: one table of rules."""

import dataclasses
import functools
import logging
import math
from collections.abc import Sequence

from jax.sharding import Mesh, PartitionSpec

from t2t.errors import UserError, did_you_mean

MESH_AXES = ("data", "fsdp", "sequence", "tensor")
"""From the slowest network to the fastest; every mesh has all of them, of size 1 if unused."""

BATCH_AXES = ("data", "fsdp")
"""Rows of a batch are split over both."""

Candidates = tuple[str, ...]

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class AxisRules:
    """For each logical axis the mesh axes to try, in order.

    The first wins that is free, that is, not used by an earlier dimension of the same array, and
    divides the dimension; if none does, the dimension is kept whole. "fsdp+tensor" stands for both
    at once, or for the one of them that is free.

    Attributes:
      vocab: of token tables and the LM head; of logits.
      embed: of parameters, the width of the residual stream.
      heads: heads * head_dim of kernels; heads of queries, keys and values.
      head_dim: of activations, the features of a head.
      mlp: hidden units, of kernels and activations.
      length: of activations, positions; `keys` those that are attended to.
      residual: of activations, the width of the residual stream.
      embedding: ALBERT's smaller token vectors, before they are projected.
      layers: of stacked parameters, the layer.
      norm, positions, token_types, relpos_buckets, head, classes, lora: of small parameters.
    """

    vocab: Candidates = ("tensor",)
    embed: Candidates = ("fsdp",)
    heads: Candidates = ("tensor",)
    head_dim: Candidates = ()
    mlp: Candidates = ("tensor",)
    length: Candidates = ("sequence",)
    keys: Candidates = ()
    residual: Candidates = ()
    embedding: Candidates = ()
    layers: Candidates = ()
    norm: Candidates = ()
    positions: Candidates = ()
    token_types: Candidates = ()
    relpos_buckets: Candidates = ()
    head: Candidates = ()
    classes: Candidates = ()
    lora: Candidates = ()

    def __post_init__(self):
        for field in dataclasses.fields(self):
            candidates = getattr(self, field.name)
            for name in (part for candidate in candidates for part in candidate.split("+")):
                if name not in MESH_AXES:
                    raise UserError(
                        f"AxisRules.{field.name}: there is no mesh axis '{name}'; there are "
                        f"{', '.join(MESH_AXES)}.{did_you_mean(name, MESH_AXES)}"
                    )
            object.__setattr__(self, field.name, tuple(candidates))  # gin may give lists

    def spec(
        self, shape: Sequence[int], axes: Sequence[str | None], mesh: Mesh, array: str | None = None
    ) -> PartitionSpec:
        """How one array is split.

        Args:
          shape: of the array.
          axes: a logical axis for each dimension: of the table, or "batch" for rows, which are
            always split over `BATCH_AXES`; None leaves the dimension to XLA.
          mesh: of devices.
          array: its name, for the log; None for no log.
        """
        free = {name for name in MESH_AXES if mesh.shape[name] > 1}
        spec: list[tuple[str, ...] | str | object | None] = []
        for size, axis in zip(shape, axes, strict=True):
            if axis is None:
                spec.append(PartitionSpec.UNCONSTRAINED)
                continue
            chosen = self._choose(size, axis, free, mesh, array)
            free -= set(chosen)
            spec.append(chosen if len(chosen) > 1 else next(iter(chosen), None))
        return PartitionSpec(*spec)

    def _choose(
        self, size: int, axis: str, free: set[str], mesh: Mesh, array: str | None
    ) -> Candidates:
        wanted: Candidates = ()
        for candidate in self.candidates(axis):
            names = tuple(name for name in candidate.split("+") if name in free)
            if names and size % math.prod(mesh.shape[name] for name in names) == 0:
                return names
            wanted = wanted or names
        if wanted and size > 1 and array:
            ways = math.prod(mesh.shape[name] for name in wanted)
            _log_once(
                f"{array}: {axis} of {size} does not divide over mesh axis {'+'.join(wanted)} "
                f"({ways}); kept whole"
            )
        return ()

    def candidates(self, axis: str) -> Candidates:
        """The rule of a logical axis; raises UserError if there is none."""
        if axis == "batch":
            return ("+".join(BATCH_AXES),)
        names = [field.name for field in dataclasses.fields(self)]
        if axis not in names:
            raise UserError(
                f"AxisRules has no rule for the logical axis '{axis}'.{did_you_mean(axis, names)}"
            )
        return getattr(self, axis)


@functools.cache
def _log_once(message: str) -> None:
    log.info("%s", message)
