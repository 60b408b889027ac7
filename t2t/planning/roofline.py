"""How fast a step could be at best: the roofline model (https://doi.org/10.1145/1498765.1498785)."""

import dataclasses
from collections.abc import Iterable

from t2t.planning.chips import Chip
from t2t.planning.collectives import Collective


@dataclasses.dataclass(frozen=True)
class Roofline:
    """Least time that each part of the hardware needs for one step.

    Attributes:
      compute_seconds: operations at the peak rate of bfloat16.
      memory_seconds: bytes to and from memory at its full bandwidth.
      ici_seconds, dcn_seconds: bytes sent to chips of the same slice, and of others, with all links
        busy.
      ideal_seconds: the useful operations (`model_flops`) at the peak rate, what MFU compares with.
    """

    compute_seconds: float
    memory_seconds: float
    ici_seconds: float
    dcn_seconds: float
    ideal_seconds: float

    @property
    def interconnect_seconds(self) -> float:
        """Both networks at once."""
        return max(self.ici_seconds, self.dcn_seconds)

    @property
    def bound(self) -> str:
        """What takes longest: "compute", "memory" or "interconnect"."""
        seconds = {
            "compute": self.compute_seconds,
            "memory": self.memory_seconds,
            "interconnect": self.interconnect_seconds,
        }
        return max(seconds, key=lambda name: seconds[name])

    @property
    def step_seconds(self) -> float:
        """If everything overlaps perfectly: no step is faster."""
        return max(self.compute_seconds, self.memory_seconds, self.interconnect_seconds)

    @property
    def serial_seconds(self) -> float:
        """If nothing overlaps: compute, then memory, then one network after the other."""
        return self.compute_seconds + self.memory_seconds + self.ici_seconds + self.dcn_seconds

    @property
    def mfu(self) -> float:
        """The model FLOP utilisation that `step_seconds` allows, 0 to 1."""
        return self.ideal_seconds / self.step_seconds if self.step_seconds else 0.0

    @property
    def serial_mfu(self) -> float:
        """The same of `serial_seconds`."""
        return self.ideal_seconds / self.serial_seconds if self.serial_seconds else 0.0


def roofline(
    chip: Chip,
    flops_per_chip: float,
    hbm_bytes_per_chip: float,
    collectives: Iterable[Collective],
    *,
    model_flops_per_chip: float | None = None,
    chips_per_slice: int | None = None,
) -> Roofline:
    """The bound of one step.

    Args:
      chip: whose published rates are taken.
      flops_per_chip: operations of one step, with what rematerialisation computes again.
      hbm_bytes_per_chip: bytes read and written.
      collectives: what is sent.
      model_flops_per_chip: operations without rematerialisation, of which MFU is a share; the same
        as `flops_per_chip` if None.
      chips_per_slice: devices of the mesh, one after the other, that fast links join; all if None.
    """
    ici_bytes = dcn_bytes = 0
    for collective in collectives:
        if chips_per_slice and crosses(collective, chips_per_slice):
            dcn_bytes += collective.total_bytes
        else:
            ici_bytes += collective.total_bytes
    useful = flops_per_chip if model_flops_per_chip is None else model_flops_per_chip
    return Roofline(
        compute_seconds=flops_per_chip / chip.bf16_flops,
        memory_seconds=hbm_bytes_per_chip / chip.hbm_bandwidth,
        ici_seconds=ici_bytes / chip.ici_bandwidth,
        dcn_seconds=dcn_bytes / chip.dcn_bandwidth,
        ideal_seconds=useful / chip.bf16_flops,
    )


def crosses(collective: Collective, chips_per_slice: int) -> bool:
    """Whether any of its groups has chips of more than one slice."""
    return any(len({i // chips_per_slice for i in group}) > 1 for group in collective.groups)
