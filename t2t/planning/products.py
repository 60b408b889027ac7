"""Operations of a program's matrix products, to check the arithmetic of t2t.training.flops."""

import functools
import math
import re

from t2t.planning.hlo import Array, Computation, Instruction, Program


def matmul_flops(program: Program) -> int:
    """Operations of all matrix products in one run of the program, on each device.

    Two per multiply-add, loops multiplied, what rematerialisation computes again included. TPUs
    write products as convolutions; positions in their padding and in the gaps of their dilation,
    which batches of products are made of, are no operations. Products inside custom calls
    (libraries of GPUs) are not seen.
    """
    total = 0
    for name, times in program.executions().items():
        computation = program.computations[name]
        for instruction in computation:
            if instruction.opcode == "dot":
                total += times * _dot(computation, instruction)
            elif instruction.opcode == "convolution":
                total += times * _convolution(computation, instruction)
    return total


def _dot(computation: Computation, dot: Instruction) -> int:
    left = _operand(computation, dot, 0)
    contracted = [int(axis) for axis in re.findall(r"\d+", dot.attribute("lhs_contracting_dims"))]
    return 2 * dot.arrays[0].size * math.prod(left.dims[axis] for axis in contracted)


def _convolution(computation: Computation, convolution: Instruction) -> int:
    left, kernel = (_operand(computation, convolution, i) for i in range(2))
    labels = re.split(r"_|->", convolution.attribute("dim_labels"))
    inputs, weights, outputs = (
        dict(zip(label, array.dims, strict=True))
        for label, array in zip(labels, (left, kernel, convolution.arrays[0]), strict=True)
    )
    groups = int(convolution.attribute("batch_group_count") or 1)
    total = 2 * inputs["b"] // groups * weights["i"] * outputs["f"]
    for axis in (label for label in labels[0] if label.isdigit()):
        window = _window(convolution.attribute("window"), int(axis))
        total *= _positions(inputs[axis], outputs[axis], **window)
    return total


def _operand(computation: Computation, instruction: Instruction, index: int) -> Array:
    return computation.operands(instruction)[index][0]


def _window(text: str, axis: int) -> dict[str, int]:
    """`{size=32x6 stride=31x5 pad=0_0x5_5 lhs_dilate=32x6}`, one axis of it."""
    fields = dict(field.split("=") for field in text.strip("{}").split())

    def of_axis(name: str, default: str) -> int:
        values = fields[name].split("x") if name in fields else [default] * (axis + 1)
        return int(values[axis].split("_")[0])

    return {
        "size": of_axis("size", "1"),
        "stride": of_axis("stride", "1"),
        "padding": of_axis("pad", "0_0"),
        "gaps": of_axis("lhs_dilate", "1"),
        "kernel_gaps": of_axis("rhs_dilate", "1"),
    }


@functools.cache
def _positions(
    length: int, out: int, size: int, stride: int, padding: int, gaps: int, kernel_gaps: int
) -> int:
    """Pairs of an output and a place of the kernel at which there is an input."""
    places = (
        position * stride - padding + place * kernel_gaps
        for position in range(out)
        for place in range(size)
    )
    return sum(1 for at in places if at % gaps == 0 and 0 <= at < length * gaps)
