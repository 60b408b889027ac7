"""Reads the optimised program that XLA prints (`compiled.as_text()`) for CPUs, GPUs and TPUs.

The compiler's own cost analysis counts the body of a loop once, however often it runs; here every
computation knows how many times a step executes it.
"""

import collections
import dataclasses
import functools
import math
import re
from collections.abc import Iterator, Mapping

_BITS = {"pred": 8, "token": 0, "opaque": 0}
_ARRAY = re.compile(r"([a-z]\w*)\[([^\]]*)\](?:\{([^}]*)\})?")
_INSTRUCTION = re.compile(r"\s+(ROOT )?%?([\w.\-]+) = ")
_COMPUTATION = re.compile(r"(ENTRY )?%?([\w.\-]+) .*\{$")
_OPCODE = re.compile(r"(?<=\s)([\w\-]+)\(")
_NAME = re.compile(r"%([\w.\-]+)(?:#(\d+))?")


@dataclasses.dataclass(frozen=True)
class Array:
    """Type of one array; `memory` is 0 in the device's main memory, others are on the chip."""

    dtype: str
    dims: tuple[int, ...]
    memory: int = 0

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.dims)

    @property
    def bytes(self) -> int:
        """Bytes without the padding of layouts; 0 for tokens."""
        bits = _BITS.get(self.dtype)
        if bits is None:
            digits = re.match(r"[a-z]+(\d+)", self.dtype)
            bits = int(digits[1]) if digits else 0
        return (self.size * bits + 7) // 8


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One line of a computation.

    Attributes:
      name, opcode: without "%".
      arrays: what it gives; the leaves, in order, of a tuple.
      operands: names of instructions of the same computation, and which leaf of a tuple is read
        (`%pair#1`; None for all).
      arguments: the text between the parentheses, such as a constant's value.
      attributes: the text after them.
    """

    name: str
    opcode: str
    arrays: tuple[Array, ...]
    operands: tuple[tuple[str, int | None], ...]
    arguments: str
    attributes: str

    @property
    def bytes(self) -> int:
        return sum(array.bytes for array in self.arrays)

    def attribute(self, name: str) -> str:
        """The text of one attribute up to the next, "" if it is not there."""
        found = re.search(rf"(?:^|, ){name}=(.*?)(?=, (?!device_ids)[\w\-]+=|$)", self.attributes)
        return found[1] if found else ""

    def called(self, *names: str) -> list[str]:
        """Computations that these attributes name."""
        return [found[0] for name in names for found in _NAME.findall(self.attribute(name))]


@dataclasses.dataclass(frozen=True)
class Computation:
    """Instructions by name in their order; the last is `root`'s unless marked otherwise."""

    name: str
    instructions: Mapping[str, Instruction]
    root: Instruction

    def __iter__(self) -> Iterator[Instruction]:
        return iter(self.instructions.values())

    def operands(self, instruction: Instruction) -> list[tuple[Array, ...]]:
        """The arrays that each operand of the instruction is."""
        found = []
        for name, leaf in instruction.operands:
            arrays = self.instructions[name].arrays
            found.append(arrays if leaf is None else arrays[leaf : leaf + 1])
        return found

    def origin(self, name: str, leaf: int | None = None) -> tuple[Instruction, int | None]:
        """What the operand is a copy of, in however many steps, and which leaf of it."""
        instruction = self.instructions[name]
        while instruction.opcode in ("copy", "copy-start", "copy-done", "bitcast"):
            name, leaf = instruction.operands[0]
            instruction = self.instructions[name]
        return instruction, leaf

    def constant(self, name: str) -> int | None:
        """The value of an instruction that is a whole number."""
        instruction, _ = self.origin(name)
        is_number = instruction.opcode == "constant" and instruction.arguments.isdigit()
        return int(instruction.arguments) if is_number else None

    def leaf(self, name: str, leaf: int | None) -> int | None:
        """Which leaf of the computation's one parameter an operand is."""
        instruction, leaf = self.origin(name, leaf)
        if instruction.opcode == "get-tuple-element":
            leaf = int(instruction.attribute("index"))
            instruction = self.instructions[instruction.operands[0][0]]
        return leaf if instruction.opcode == "parameter" else None

    @functools.cached_property
    def users(self) -> Mapping[str, list[Instruction]]:
        """What reads each instruction."""
        found: dict[str, list[Instruction]] = {name: [] for name in self.instructions}
        for instruction in self:
            for name in dict.fromkeys(name for name, _ in instruction.operands):
                found[name].append(instruction)
        return found


@dataclasses.dataclass(frozen=True)
class Program:
    """Computations by name, the one that runs first, and how many devices run the program."""

    computations: Mapping[str, Computation]
    entry: str
    num_devices: int

    def executions(self) -> Mapping[str, int]:
        """How many times one run of the program executes each computation.

        All branches of a conditional count, each as if it were taken. The functions that
        reductions, scatters and sorts apply to single elements do not. A loop whose number of
        rounds is unknown counts once (`unknown_loops`).
        """
        counts: collections.Counter[str] = collections.Counter()

        def visit(name: str, times: int) -> None:
            counts[name] += times
            for instruction in self.computations[name]:
                rounds = 1
                if instruction.opcode == "while":
                    rounds = self.trip_count(instruction) or 1
                for callee in _callees(instruction):
                    visit(callee, times * rounds)

        visit(self.entry, 1)
        return counts

    def trip_count(self, loop: Instruction) -> int | None:
        """Rounds of a `while`: those that XLA knows, else what its counter says.

        The counter begins at 0, as that of `jax.lax.scan`, is compared with a constant in the
        condition, and grows by a constant in the body: by 1, or by 2 in loops that XLA makes of
        gathering and multiplying. None if there is no such counter.
        """
        known = re.search(r'"known_trip_count":\{"n":"(\d+)"', loop.attributes)
        if known:
            return int(known[1])
        condition = self.computations[loop.called("condition")[0]]
        body = self.computations[loop.called("body")[0]]
        compared = condition.root
        if compared.opcode != "compare" or compared.attribute("direction") not in ("LT", "GT"):
            return None
        bounds = [condition.constant(name) for name, _ in compared.operands]
        leaves = [condition.leaf(*operand) for operand in compared.operands]
        leaf = next((leaf for leaf in leaves if leaf is not None), None)
        bound = next((bound for bound in bounds if bound is not None), None)
        if leaf is None or bound is None or body.root.opcode != "tuple":
            return None
        added, _ = body.origin(*body.root.operands[leaf])
        steps = [body.constant(name) for name, _ in added.operands]
        step = next((step for step in steps if step), None)
        is_counter = leaf in [body.leaf(*operand) for operand in added.operands]
        return -(-bound // step) if added.opcode == "add" and is_counter and step else None

    def unknown_loops(self) -> list[str]:
        """Names of the loops whose number of rounds cannot be told."""
        counts = self.executions()
        return [
            instruction.name
            for name in counts
            for instruction in self.computations[name]
            if instruction.opcode == "while" and self.trip_count(instruction) is None
        ]


def _callees(instruction: Instruction) -> list[str]:
    match instruction.opcode:
        case "fusion" | "async-start":
            return instruction.called("calls")
        case "call":
            return instruction.called("to_apply")
        case "while":
            return instruction.called("body", "condition")
        case "conditional":
            return instruction.called(
                "branch_computations", "true_computation", "false_computation"
            )
    return []


def parse(text: str) -> Program:
    """Reads a program.

    Raises:
      ValueError: if the text is not one.
    """
    computations: dict[str, Computation] = {}
    entry, name, root = "", "", ""
    lines: dict[str, Instruction] = {}
    for line in text.splitlines():
        if name and line.startswith("}"):
            last = lines[root or next(reversed(lines))]
            computations[name] = Computation(name, lines, last)
            name, root, lines = "", "", {}
        elif name:
            instruction, is_root = _instruction(line)
            lines[instruction.name] = instruction
            root = instruction.name if is_root else root
        elif (header := _COMPUTATION.match(line)) and not line.startswith("HloModule"):
            name = header[2]
            entry = name if header[1] else entry
    if not entry:
        raise ValueError("this is no program of XLA: it has no ENTRY computation")
    sizes = re.findall(r"(?:num_partitions|replica_count)=(\d+)", text.split("\n", 1)[0])
    return Program(computations, entry, math.prod(map(int, sizes)))


def _instruction(line: str) -> tuple[Instruction, bool]:
    head = _INSTRUCTION.match(line)
    if not head:
        raise ValueError(f"not an instruction of XLA: {line[:200]!r}")
    rest = line[head.end() :]
    end = _closing(rest, 0) if rest.startswith("(") else 0
    opcode = _OPCODE.search(rest, end)
    if not opcode:
        raise ValueError(f"not an instruction of XLA: {line[:200]!r}")
    closing = _closing(rest, opcode.end() - 1)
    arguments = rest[opcode.end() : closing - 1]
    instruction = Instruction(
        name=head[2],
        opcode=opcode[1],
        arrays=tuple(_array(*found) for found in _ARRAY.findall(rest[: opcode.start()])),
        operands=tuple((n, int(leaf) if leaf else None) for n, leaf in _NAME.findall(arguments)),
        arguments=arguments,
        attributes=rest[closing:].removeprefix(", "),
    )
    return instruction, bool(head[1])


def _array(dtype: str, dims: str, layout: str) -> Array:
    memory = re.search(r"S\((\d+)\)", layout)
    sizes = tuple(int(size.removeprefix("<=")) for size in dims.split(",") if size)
    return Array(dtype, sizes, int(memory[1]) if memory else 0)


def _closing(text: str, start: int) -> int:
    """Position after the parenthesis that closes the one at `start`."""
    depth = 0
    for found in re.finditer(r'"(?:[^"\\]|\\.)*"|[()]', text[start:]):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if depth == 0 and found[0] == ")":
            return start + found.end()
    raise ValueError(f"a parenthesis is not closed: {text[:200]!r}")
