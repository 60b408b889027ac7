"""What accelerators can do, as their makers publish it."""

import dataclasses
import re

from t2t.errors import UserError, did_you_mean


@dataclasses.dataclass(frozen=True)
class Chip:
    """Published rates of one chip (one GPU), all of them peaks that no program reaches.

    Attributes:
      name: "v5e", "h100" ...
      bf16_flops: operations per second of bfloat16 matrix products without sparsity.
      hbm_bytes: memory that programs can have.
      hbm_bandwidth: bytes per second to and from it.
      ici_bandwidth: bytes per second that a chip can send to the others of its slice over all its
        links together (TPU: inter-chip interconnect, GPU: NVLink), one direction.
      dcn_bandwidth: bytes per second that it can send to other slices (GPU: to other machines),
        its share of its machine's network.
    """

    name: str
    bf16_flops: float
    hbm_bytes: int
    hbm_bandwidth: float
    ici_bandwidth: float
    dcn_bandwidth: float


GIB = 2**30

CHIPS = {
    chip.name: chip
    for chip in (
        Chip("v4", 275e12, 32 * GIB, 1200e9, 6 * 50e9, 6.25e9),
        Chip("v5e", 197e12, 16 * GIB, 819e9, 4 * 50e9, 3.125e9),
        Chip("v5p", 459e12, 95 * GIB, 2765e9, 6 * 100e9, 6.25e9),
        Chip("v6e", 918e12, 32 * GIB, 1638e9, 4 * 100e9, 12.5e9),
        Chip("a100", 312e12, 80 * 10**9, 2039e9, 300e9, 25e9),
        Chip("h100", 989e12, 80 * 10**9, 3350e9, 450e9, 50e9),
        Chip("h200", 989e12, 141 * 10**9, 4800e9, 450e9, 50e9),
        Chip("b200", 2250e12, 180 * 10**9, 8000e9, 900e9, 50e9),
    )
}
"""Sources, all read in November 2026:

* v4: cloud.google.com/tpu/docs/v4; six links of 50 GB/s, https://arxiv.org/abs/2304.01433, table 4.
  Google gives no share of the data-centre network; v5p's is taken.
* v5e: docs.cloud.google.com/tpu/docs/v5e; links: 400 GB/s in both directions together over 4 ports;
  network: 6.4 Tbit/s for 256 chips.
* v5p: docs.cloud.google.com/tpu/docs/v5p; links: 1200 GB/s in both directions, 6 ports; network:
  50 Gbit/s for a chip.
* v6e: docs.cloud.google.com/tpu/docs/v6e; links: 800 GB/s in both directions, 4 ports; network:
  25.6 Tbit/s for 256 chips.
* a100: nvidia.com/en-us/data-center/a100 (SXM, 80 GB); NVLink 600 GB/s in both directions; network
  of a DGX A100: 200 Gbit/s for a GPU.
* h100, h200: nvidia.com/en-us/data-center/h100 and /h200 (SXM); NVLink 900 GB/s in both directions;
  network of a DGX H100 and H200: 400 Gbit/s for a GPU. The 1979 TFLOP/s there are with sparsity.
* b200: the datasheet of the DGX B200, an eighth of it; half of the dense 4.5 PFLOP/s in 8 bits;
  NVLink 1.8 TB/s in both directions; network 400 Gbit/s.
"""

_KINDS = {
    "tpu v4": "v4",
    "tpu v5 lite": "v5e",
    "tpu v5e": "v5e",
    "v5litepod": "v5e",
    "tpu v5p": "v5p",
    "tpu v5": "v5p",
    "tpu v6 lite": "v6e",
    "tpu v6e": "v6e",
}
"""What JAX and Google call TPUs, longer names before those that they begin with."""


def chip_of(topology_or_device_kind: str) -> Chip:
    """The chip of a topology ("v5e:16x16", "2*v5p:4x4x4") or of a device of JAX ("TPU v5 lite").

    Of a topology the links are those that its worst connected chip has: in a slice of v5e or v6e an
    axis is a ring only if it is 16 long, in one of v4 or v5p only if all are multiples of 4; a chip
    at the end of an open axis has one link along it, and an axis of one chip has none.

    Raises:
      UserError: if no rates of it are known.
    """
    kind, _, shape = topology_or_device_kind.lower().partition(":")
    kind = kind.rpartition("*")[2].strip()
    names = [short for long, short in _KINDS.items() if kind.startswith(long)]
    names += [word for word in re.split(r"[\s\-_]+", kind) if word in CHIPS]
    if not names:
        raise UserError(
            f"'{topology_or_device_kind}': no rates of this chip are known. Known are "
            f"{', '.join(CHIPS)}.{did_you_mean(kind, CHIPS)}"
        )
    chip = CHIPS[names[0]]
    sizes = [int(size) for size in re.findall(r"\d+", shape)]
    if chip.name not in _DIMENSIONS or len(sizes) < 2:
        return chip
    dimensions = _DIMENSIONS[chip.name]
    links = _links(sizes, dimensions)
    return dataclasses.replace(chip, ici_bandwidth=chip.ici_bandwidth * links / (2 * dimensions))


_DIMENSIONS = {"v4": 3, "v5e": 2, "v5p": 3, "v6e": 2}


def _links(sizes: list[int], dimensions: int) -> int:
    """Links of a chip in the corner of a slice."""
    cubes = all(size % 4 == 0 for size in sizes)
    rings = [size == 16 if dimensions == 2 else cubes for size in sizes]
    return sum(
        0 if size == 1 else 2 if ring else 1 for size, ring in zip(sizes, rings, strict=True)
    )
