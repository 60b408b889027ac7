"""Bytes that a program moves to and from a device's main memory, estimated from its text."""

from collections.abc import Sequence

from t2t.planning.collectives import KINDS, continues
from t2t.planning.hlo import Array, Computation, Instruction, Program

_FREE = {
    *("parameter", "constant", "tuple", "get-tuple-element", "bitcast", "opt-barrier"),
    *("while", "conditional", "call", "async-start", "after-all", "partition-id", "replica-id"),
}
_FREE_CALLS = ("AllocateBuffer", "ConcatBitcast", "IndicesInBound", "IndicesBitpacked")
_SLICES = ("dynamic-slice", "slice", "gather")


def hbm_bytes(program: Program) -> int:
    """Bytes read from and written to main memory by one run of the program, on each device.

    Every kernel, that is every instruction that is not inside a fusion, reads its operands once and
    writes its results once; loops are multiplied. Of an operand of which only slices are used, such
    as one layer of stacked parameters, the slices count; of a result that is written in place, such
    as the activations of one layer, what is written. Arrays that the compiler placed in a TPU's
    memory on the chip are free, copying them there and back is not. What kernels read twice, and
    the padding of layouts, are not counted, nor are caches, which on CPUs and GPUs hold much of it.
    """
    fused = {
        name
        for computation in program.computations.values()
        for instruction in computation
        if instruction.opcode == "fusion"
        for name in instruction.called("calls")
    }
    return sum(
        times * sum(_moved(program, program.computations[name], i) for i in _kernels(program, name))
        for name, times in program.executions().items()
        if name not in fused
    )


def _kernels(program: Program, name: str) -> list[Instruction]:
    return [i for i in program.computations[name] if not _is_free(i)]


def _is_free(instruction: Instruction) -> bool:
    if instruction.opcode == "custom-call":
        return any(name in instruction.attribute("custom_call_target") for name in _FREE_CALLS)
    return instruction.opcode in _FREE or instruction.opcode.endswith("-done")


def _moved(program: Program, computation: Computation, kernel: Instruction) -> int:
    operands = computation.operands(kernel)
    kind = kernel.opcode.removesuffix("-start")
    if kind == "fusion":
        body = program.computations[kernel.called("calls")[0]]
        read = sum(
            _in_memory(arrays, _read(program, body, index, sum(a.bytes for a in arrays)))
            for index, arrays in enumerate(operands)
        )
        written = _written(program, body, body.root)
        return read + sum(
            _in_memory([array], size) for array, size in zip(kernel.arrays, written, strict=True)
        )
    if kind == "copy" and kind != kernel.opcode:
        target, source, *_ = kernel.arrays
        return _in_memory([target], target.bytes) + _in_memory([source], source.bytes)
    results = list(kernel.arrays)
    if kind != kernel.opcode:  # the result of a start begins with its operands
        count = sum(len(arrays) for arrays in operands)
        results = results[count : 2 * count] or results
    if kind == "dynamic-update-slice":
        update = operands[1][0].bytes
        return _in_memory(operands[1], update) + _in_memory(results, update)
    if kind in _SLICES:
        operands = operands[:1]
        read = _in_memory(operands[0], sum(a.bytes for a in results))
    else:
        read = sum(_in_memory([array], array.bytes) for arrays in operands for array in arrays)
    return read + sum(_in_memory([array], array.bytes) for array in results)


def _in_memory(arrays: Sequence[Array], size: int) -> int:
    """`size`, if the first array is in main memory."""
    return size if arrays and arrays[0].memory == 0 else 0


def _read(program: Program, body: Computation, index: int, full: int) -> int:
    """What a fusion reads of an operand of `full` bytes."""
    parameter = next(
        i for i in body if i.opcode == "parameter" and i.arguments.strip() == str(index)
    )
    return min(full, _used(program, body, parameter, full))


def _used(program: Program, body: Computation, value: Instruction, full: int) -> int:
    total = 0
    for user in body.users[value.name]:
        positions = [i for i, (name, _) in enumerate(user.operands) if name == value.name]
        if user.opcode == "bitcast":
            total += _used(program, body, user, full)
        elif user.opcode == "fusion":
            inner = program.computations[user.called("calls")[0]]
            total += sum(_read(program, inner, index, full) for index in positions)
        elif user.opcode in _SLICES and positions == [0]:
            total += user.bytes
        elif (user.opcode == "dynamic-update-slice" and positions == [0]) or _passes_on(body, user):
            continue
        else:
            return full
    return total


def _passes_on(body: Computation, user: Instruction) -> bool:
    """Whether an operand is only handed on, such as a collective's that began elsewhere."""
    is_collective = user.opcode in KINDS and continues(body, user)
    is_done = user.opcode == "custom-call" and "AsyncCollectiveDone" in user.attributes
    return is_collective or is_done or (user.opcode == "tuple" and user is body.root)


def _written(program: Program, body: Computation, value: Instruction) -> list[int]:
    """What a fusion writes of each leaf of its result `value`."""
    operands = [body.instructions[name] for name, _ in value.operands]
    match value.opcode:
        case "tuple":
            return [size for operand in operands for size in _written(program, body, operand)]
        case "bitcast":
            return _written(program, body, operands[0])
        case "dynamic-update-slice":
            return [operands[1].bytes]
        case "parameter":
            return [0] * len(value.arrays)
        case "fusion":
            inner = program.computations[value.called("calls")[0]]
            return _written(program, inner, inner.root)
        case "get-tuple-element":
            index = int(value.attribute("index"))
            return _written(program, body, operands[0])[index : index + 1]
    if value.opcode in KINDS and continues(body, value):
        return [0] * len(value.arrays)
    if "AsyncCollectiveDone" in value.attributes:
        return [0] * len(value.arrays)
    if "AsyncCollectiveStart" in value.attributes:  # the operand again, the result, flags
        return [array.bytes if i == 1 else 0 for i, array in enumerate(value.arrays)]
    return [array.bytes for array in value.arrays]
