"""What a program sends between chips, counted from its text."""

import dataclasses
import math
import re
from collections.abc import Sequence

import numpy as np

from t2t.planning.hlo import Computation, Instruction, Program, parse

Groups = tuple[tuple[int, ...], ...]

_IOTA = re.compile(r"\[([\d,]+)\]<=\[([\d,]+)\](?:T\(([\d,]+)\))?")


@dataclasses.dataclass(frozen=True)
class Collective:
    """One communication between groups of chips.

    Attributes:
      kind: "all-gather", "all-reduce", "reduce-scatter", "all-to-all" or "collective-permute".
      bytes: what each chip sends per execution. With the ring algorithm, for groups of n: of an
        all-gather (n - 1) / n of what each has in the end; of a reduce-scatter and an all-to-all
        (n - 1) / n of what each has before; of an all-reduce twice that; of a permutation all.
      group_size: chips that exchange with each other.
      times: executions in one run of the program: the product of the trip counts around it.
      groups: all groups, as positions in the mesh's devices; of a permutation (source, target).
    """

    kind: str
    bytes: int
    group_size: int
    times: int
    groups: Groups = dataclasses.field(default=(), repr=False)

    @property
    def total_bytes(self) -> int:
        """What each chip sends in one run of the program."""
        return self.bytes * self.times


KINDS = ("all-gather", "all-reduce", "reduce-scatter", "all-to-all", "collective-permute")


def collectives_of(hlo_text: str) -> list[Collective]:
    """All collectives of an optimised program, in the order of its text.

    Those between a single chip and itself are left out. Raises ValueError if this is no program.
    """
    return list(collectives(parse(hlo_text)))


def collectives(program: Program) -> list[Collective]:
    """As `collectives_of`."""
    counts = program.executions()
    found = []
    for name, times in counts.items():
        computation = program.computations[name]
        for instruction in computation:
            kind = instruction.opcode.removesuffix("-start")
            if kind not in KINDS or continues(computation, instruction):
                continue
            if kind == "all-reduce" and _keeps_a_slice(computation, instruction):
                kind = "reduce-scatter"
            groups = _groups(instruction, program.num_devices)
            size = len(groups[0])
            operands = sum(
                array.bytes for arrays in computation.operands(instruction) for array in arrays
            )
            if size > 1:
                sent = _sent(kind, operands, size)
                found.append(Collective(kind, sent, size, times, groups))
    return found


def _sent(kind: str, operand_bytes: int, size: int) -> int:
    match kind:
        case "all-gather":
            return operand_bytes * (size - 1)
        case "all-reduce":
            return 2 * operand_bytes * (size - 1) // size
        case "collective-permute":
            return operand_bytes
    return operand_bytes * (size - 1) // size


def continues(computation: Computation, instruction: Instruction) -> bool:
    """Whether this goes on with a collective that another fusion began.

    On TPUs one asynchronous collective is repeated in each fusion that runs beside it, with the
    same `chain_id`; the first one's fusion ends in AsyncCollectiveStart.
    """
    starts = any("AsyncCollectiveStart" in other.attributes for other in computation)
    return "chain_id=" in instruction.attributes and not starts


def _keeps_a_slice(computation: Computation, instruction: Instruction) -> bool:
    """Whether only a slice of the sum is used: how TPUs write a reduce-scatter."""
    users = computation.users[instruction.name]
    is_fused = "scatter" in computation.name
    return is_fused and [user.opcode for user in users] == ["dynamic-slice"]


def _groups(instruction: Instruction, num_devices: int) -> Groups:
    pairs = instruction.attribute("source_target_pairs")
    if pairs:
        return _listed(pairs)
    return replica_groups(instruction.attribute("replica_groups"), num_devices)


def replica_groups(text: str, num_devices: int) -> Groups:
    """Reads the three ways in which XLA writes groups of devices.

    `{{0,1},{2,3}}` (`{}` for all in one group); `[2,4]<=[4,2]T(1,0)`, two groups of four of the
    numbers 0 to 7, laid out as 4 x 2 and transposed; `mesh['a'=2,'b'=4] {'b'}`, all along axes of a
    mesh, where `'b':(2)2` is a part of an axis: behind a part of size 2, the next of size 2.
    """
    if text.startswith("mesh"):
        return _along_axes(text)
    iota = _IOTA.fullmatch(text)
    if iota:
        return _rows(_iota(text), int(iota[1].split(",")[-1]))
    return _listed(text) or (tuple(range(num_devices)),)


def _listed(text: str) -> Groups:
    found = re.findall(r"\{([\d,\s]+)\}", text)
    return tuple(tuple(int(i) for i in group.split(",")) for group in found)


def _iota(text: str) -> list[int]:
    """`[...]<=[4,2]T(1,0)`, or `[4,2]T(1,0)` for short, as a flat list."""
    found = _IOTA.search(text)
    short = re.search(r"\[([\d,]+)\]T\(([\d,]+)\)", text)
    if found:
        sizes, axes = found[2], found[3]
    elif short:
        sizes, axes = short.groups()
    else:
        return [int(i) for i in re.findall(r"\d+", text)]
    shape = [int(size) for size in sizes.split(",")]
    order = [int(axis) for axis in axes.split(",")] if axes else None
    return np.arange(math.prod(shape)).reshape(shape).transpose(order).ravel().tolist()


def _along_axes(text: str) -> Groups:
    mesh = re.match(r"mesh\[(.*?)\](?:, device_ids=(.*?\)|.*?\}))? \{(.*)\}$", text)
    if not mesh:
        raise ValueError(f"unknown replica groups: {text!r}")
    axes = [(name, int(size)) for name, size in re.findall(r"'(.*?)'=(\d+)", mesh[1])]
    used = re.findall(r"'(.*?)'(?::\((\d+)\)(\d+))?", mesh[3])
    shape, grouped = [], []
    for name, size in axes:
        parts = [
            (int(before or 1), int(part or size)) for axis, before, part in used if axis == name
        ]
        left = size
        for before, part in sorted(parts):
            outer = left * before // size
            shape += [outer, part]
            grouped.append(len(shape) - 1)
            left //= outer * part
        shape.append(left)
    devices = np.array(_iota(mesh[2]) if mesh[2] else range(math.prod(shape))).reshape(shape)
    devices = np.moveaxis(devices, grouped, range(-len(grouped), 0))
    return _rows(devices.ravel().tolist(), math.prod(shape[axis] for axis in grouped))


def _rows(values: Sequence[int], length: int) -> Groups:
    return tuple(tuple(values[i : i + length]) for i in range(0, len(values), length))
