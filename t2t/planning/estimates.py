"""What can be said of a mesh before anything is compiled: least memory, and a rough time.

The volumes are those of the usual algorithms: parameters split over `fsdp` are gathered for the
forward and for the backward pass and their gradients reduced and scattered (ZeRO stage 3,
https://arxiv.org/abs/1910.02054, section 7); gradients are summed over `data`; split matrix
products sum activations twice per layer and pass (Megatron-LM, https://arxiv.org/abs/1909.08053,
section 3).
"""

import dataclasses
from collections.abc import Mapping

from t2t.planning.chips import Chip
from t2t.training.partitioning import MeshShape

RECOMPUTED = {"none": 0.0, "minimal": 0.05, "full": 1 / 3}
"""Operations that rematerialisation adds, as a share of the rest; "minimal" computes attention's
products again."""

COMPUTE_BYTES = 2
"""Of parameters as they are gathered, and of activations: bfloat16."""


@dataclasses.dataclass(frozen=True)
class Candidate:
    """One way to run a job; the axes of the mesh are numbers, none of them -1."""

    mesh: MeshShape
    remat: str
    batch_size: int
    microbatches: int

    @property
    def rows_at_once(self) -> int:
        """Of the global batch."""
        return self.batch_size // self.microbatches

    @property
    def shards(self) -> int:
        """Of parameters and optimiser state."""
        return self.mesh.fsdp * self.mesh.tensor

    @property
    def ways(self) -> int:
        """Devices that see different rows."""
        return self.mesh.data * self.mesh.fsdp

    def needs_at_least(self, other: "Candidate") -> bool:
        """Whether it surely takes as much memory as the other one: state, rows and gradients."""
        policies = list(RECOMPUTED)
        return (
            self.mesh.tensor == other.mesh.tensor
            and self.mesh.sequence == other.mesh.sequence
            and self.shards <= other.shards
            and policies.index(self.remat) <= policies.index(other.remat)
            and self.rows_at_once * other.ways >= other.rows_at_once * self.ways
            and (other.microbatches == 1 or self.microbatches > 1)
        )


@dataclasses.dataclass(frozen=True)
class JobSizes:
    """A job in numbers.

    Attributes:
      parameters: their number.
      state_bytes: of parameters and optimiser state.
      row_flops: operations of a training step for one row, without rematerialisation.
      row_kept_bytes: what is kept of one row in the forward pass for the backward pass, by policy
        of rematerialisation; at least.
    """

    parameters: int
    state_bytes: int
    row_flops: int
    row_kept_bytes: Mapping[str, int]


def least_memory(candidate: Candidate, sizes: JobSizes) -> int:
    """Bytes that one chip needs at the very least, however well everything is split."""
    state = sizes.state_bytes // candidate.shards
    chips = candidate.ways * candidate.mesh.tensor * candidate.mesh.sequence
    return state + sizes.row_kept_bytes[candidate.remat] * candidate.rows_at_once // chips


def rough_seconds(candidate: Candidate, sizes: JobSizes, chip: Chip, slices: int = 1) -> float:
    """Time of a step: operations, then communication, at the chip's full rates.

    Only good for telling what to compile first.
    """
    mesh, times = candidate.mesh, candidate.microbatches
    chips = candidate.ways * mesh.tensor * mesh.sequence
    flops = sizes.row_flops * candidate.batch_size * (1 + RECOMPUTED[candidate.remat]) / chips
    parameters = sizes.parameters / mesh.tensor
    gathered = (2 * COMPUTE_BYTES + COMPUTE_BYTES) * parameters * _others(mesh.fsdp) * times
    summed = 2 * COMPUTE_BYTES * parameters / mesh.fsdp * _others(mesh.data) * times
    rows = candidate.batch_size / candidate.ways
    activations = 4 * 2 * sizes.row_kept_bytes["full"] * rows * _others(mesh.tensor)
    seconds = flops / chip.bf16_flops + (gathered + activations) / chip.ici_bandwidth
    return seconds + summed / (chip.dcn_bandwidth if slices > 1 else chip.ici_bandwidth)


def _others(count: int) -> float:
    return (count - 1) / count
