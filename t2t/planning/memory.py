"""What a program keeps in the memory of one chip, by kind."""

import dataclasses
import math
from typing import Any

import jax

from t2t.planning.chips import Chip
from t2t.planning.compiled import Compiled


@dataclasses.dataclass(frozen=True)
class Memory:
    """Bytes per chip; `total` of them are needed at once.

    Attributes:
      parameters, optimizer, batch: what is passed in, from shapes and shardings.
      padding: what the layouts of the compiler add to these.
      gradients: those of the trained parameters, as large as their shards; None where the
        temporaries have no room for them, so that they are never there all at once.
      activations: the rest of the temporaries of the compiled program.
      results: what the program gives beyond what replaces its arguments.
      program: the machine code; None if the compiler gave up before there was any.
      capacity: of the chip, for programs; None for CPUs.
    """

    parameters: int
    optimizer: int
    batch: int
    padding: int
    gradients: int | None
    activations: int
    results: int
    program: int | None
    capacity: int | None

    @property
    def temporaries(self) -> int:
        return (self.gradients or 0) + self.activations

    @property
    def total(self) -> int:
        values = dataclasses.asdict(self)
        return sum(value or 0 for name, value in values.items() if name != "capacity")

    @property
    def missing(self) -> int:
        """Bytes by which it does not fit; 0 if it does."""
        return 0 if self.capacity is None else max(0, self.total - self.capacity)


def bytes_per_chip(tree: Any) -> int:
    """Of abstract arrays with shardings, what one device holds."""
    return sum(
        math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize
        for leaf in jax.tree.leaves(tree)
    )


def measured(
    compiled: Compiled,
    chip: Chip | None,
    *,
    parameters: int,
    optimizer: int,
    batch: int,
    gradients: int | None,
) -> Memory:
    """What a compiled program needs, given what its arguments are by arithmetic, in bytes.

    `gradients` are part of the program's temporaries, unless these are too few.
    """
    arguments = parameters + optimizer + batch
    capacity = None if chip is None else chip.hbm_bytes
    program: int | None = None
    padding = results = 0
    out = compiled.refusal
    if out is not None:
        temporaries = max(0, out.needed - arguments) if out.includes_arguments else out.needed
        capacity = out.available
    else:
        stats = compiled.executable.memory_analysis()
        temporaries, program = stats.temp_size_in_bytes, stats.generated_code_size_in_bytes
        padding = max(0, stats.argument_size_in_bytes - arguments)
        results = max(0, stats.output_size_in_bytes - stats.alias_size_in_bytes)
    if gradients is not None and gradients > temporaries:
        gradients = None
    return Memory(
        parameters=parameters,
        optimizer=optimizer,
        batch=batch,
        padding=padding,
        gradients=gradients,
        activations=temporaries - (gradients or 0),
        results=results,
        program=program,
        capacity=capacity,
    )
