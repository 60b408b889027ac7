"""What a training job would need of a topology, and how fast it could be there."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
from jax.sharding import Mesh

from t2t.models.definition import ModelConfig
from t2t.models.electra import Electra
from t2t.planning.collectives import Collective, collectives
from t2t.planning.hlo import parse
from t2t.planning.job import TrainingJob, job_of
from t2t.planning.memory import Memory, bytes_per_chip, measured
from t2t.planning.products import matmul_flops
from t2t.planning.programs import (
    Compiled,
    abstract_state,
    compile_generation,
    compile_train_step,
    with_shardings,
)
from t2t.planning.roofline import Roofline, roofline
from t2t.planning.topology import Topology
from t2t.planning.traffic import hbm_bytes
from t2t.training.flops import train_flops
from t2t.training.partitioning import MeshShape, batch_sharding, check_batch_size

MOST_SHARE = 1.5
"""Of the model's operations: rematerialisation adds a third, and attention is not all of them."""

LEAST_SHARE = 0.95
"""Counts from a program's text below this share of what arithmetic says must be there are wrong."""


@dataclasses.dataclass(frozen=True)
class ProgramPlan:
    """One program on one chip; of the figures that a check refutes there are none.

    Attributes:
      memory: in bytes, by kind.
      refused: whether the compiler gave up; there is nothing but the memory then.
      model_flops: operations by arithmetic, an even share; None where no such arithmetic is done.
      program_flops: operations of the matrix products in the program, recomputed ones included.
      hbm_bytes: to and from main memory.
      collectives: what the chip sends to others.
      roofline: the bound that follows; None for CPUs.
      compile_seconds: of tracing and compiling, here.
      notes: what was left out, and why.
    """

    memory: Memory
    refused: bool
    model_flops: int | None
    program_flops: int | None
    hbm_bytes: int | None
    collectives: tuple[Collective, ...]
    roofline: Roofline | None
    compile_seconds: float
    notes: tuple[str, ...]

    @property
    def fits(self) -> bool:
        return not self.memory.missing and not self.refused


@dataclasses.dataclass(frozen=True)
class Plan:
    """A training job on a topology.

    Attributes:
      topology: name, such as "v5e:16x16".
      exact: whether the compiler is that of the chip; see `Topology`.
      mesh: sizes of its axes, by name.
      remat: of the model; "none", "minimal" or "full".
      batch_size, microbatches: of `train`.
      tokens: of a global batch, padding included.
      train: the training step.
      decode_batch_size: rows that generate at a time; 0 for none.
      prefill, decode: the programs that generate the first token and each other one.
    """

    topology: str
    exact: bool
    mesh: Mapping[str, int]
    remat: str
    batch_size: int
    microbatches: int
    tokens: int
    train: ProgramPlan
    decode_batch_size: int = 0
    prefill: ProgramPlan | None = None
    decode: ProgramPlan | None = None

    @property
    def programs(self) -> dict[str, ProgramPlan]:
        """Those that there are, by name."""
        named = {"train step": self.train, "prefill": self.prefill, "decode step": self.decode}
        return {name: program for name, program in named.items() if program is not None}

    @property
    def tokens_per_second(self) -> float:
        """Of training, by the bounds of its program if nothing overlaps; 0 if there are none."""
        bound = self.train.roofline
        return self.tokens / bound.serial_seconds if bound else 0.0

    @property
    def fits(self) -> bool:
        return all(program.fits for program in self.programs.values())


def plan_of(
    arguments: Mapping[str, Any],
    topology: Topology,
    mesh: MeshShape | None = None,
    remat: str | None = None,
    batch_size: int | None = None,
    microbatches: int | None = None,
    decode_batch_size: int = 0,
) -> Plan:
    """Compiles what `train(**arguments)` would run and measures the programs.

    Args:
      arguments: of `t2t.training.loop.train`.
      topology: to compile for.
      mesh, remat, batch_size, microbatches: instead of those in `arguments`.
      decode_batch_size: rows to generate at a time; 0 leaves generation out.

    Raises:
      UserError: for what `train` would refuse, or the compiler does, except for want of memory.
    """
    job = job_of(
        arguments, mesh=mesh, remat=remat, batch_size=batch_size, microbatches=microbatches
    )
    device_mesh = job.mesh.mesh(list(topology.devices))
    check_batch_size(job.batch_size // job.microbatches, device_mesh)
    train = _train_plan(job, topology, device_mesh)
    plan = Plan(
        topology=topology.name,
        exact=topology.exact,
        mesh=dict(device_mesh.shape),
        remat=_remat_of(job.model.config),
        batch_size=job.batch_size,
        microbatches=job.microbatches,
        tokens=job.batch_size * sum(job.row_lengths.values()),
        train=train,
    )
    if not decode_batch_size:
        return plan
    check_batch_size(decode_batch_size, device_mesh)
    prefill, decode = _generation_plans(job, topology, device_mesh, decode_batch_size)
    return dataclasses.replace(
        plan, decode_batch_size=decode_batch_size, prefill=prefill, decode=decode
    )


def _train_plan(job: TrainingJob, topology: Topology, mesh: Mesh) -> ProgramPlan:
    state = abstract_state(job, mesh)
    compiled = compile_train_step(job, mesh)
    memory = measured(
        compiled,
        topology.chip,
        parameters=bytes_per_chip(state.params),
        optimizer=bytes_per_chip((state.opt_state, state.step)),
        batch=bytes_per_chip(job.batch(batch_sharding(mesh))),
        gradients=_gradient_bytes(job, state.params),
    )
    flops = train_flops(
        job.model.config, *job.lengths, job.batch_size, job.loss.predicts_tokens
    ) // len(topology.devices)
    return _program_plan(compiled, memory, topology, flops)


def _gradient_bytes(job: TrainingJob, params: Any) -> int:
    selection = job.optimizer.trainable.select(params)
    shardings = selection.restrict(jax.tree.map(lambda leaf: leaf.sharding, params))
    return bytes_per_chip(with_shardings(selection.abstract(params), shardings))


def _generation_plans(
    job: TrainingJob, topology: Topology, mesh: Mesh, rows: int
) -> tuple[ProgramPlan, ProgramPlan | None]:
    made = compile_generation(job, mesh, rows)
    parameters = bytes_per_chip(abstract_state(job, mesh).params)
    prompt, state = bytes_per_chip(made.prompt), bytes_per_chip(made.state)
    measure = functools.partial(
        measured, chip=topology.chip, parameters=parameters, optimizer=0, gradients=None
    )
    memory = measure(made.prefill, batch=prompt)
    prefill = _program_plan(made.prefill, memory, topology, None)
    if made.step is None:
        return prefill, None
    memory = measure(made.step, batch=state)
    return prefill, _program_plan(made.step, memory, topology, None)


def _program_plan(
    compiled: Compiled, memory: Memory, topology: Topology, model_flops: int | None
) -> ProgramPlan:
    seconds = compiled.seconds
    if compiled.executable is None:
        return ProgramPlan(memory, True, model_flops, None, None, (), None, seconds, ())
    program, notes = parse(compiled.executable.as_text()), []
    counted, bytes_counted = matmul_flops(program), hbm_bytes(program)
    flops: int | None = counted
    share = counted / model_flops if model_flops else None
    if share is not None and not LEAST_SHARE <= share <= MOST_SHARE:
        notes.append(
            f"The program's text shows {share:.2f} times the operations of the model. Fewer than "
            f"once: some are inside library calls; many more: several chips do the same, or the "
            f"text is misread. Arithmetic is used, without recomputation."
        )
        flops = None
    moved: int | None = bytes_counted
    if bytes_counted < LEAST_SHARE * memory.parameters:
        notes.append(f"The text shows {bytes_counted:.3g} bytes moved, fewer than parameters have.")
        moved = None
    if loops := program.unknown_loops():
        notes.append(f"Loops whose number of rounds is unknown count once: {', '.join(loops)}.")
    sent = tuple(collectives(program))
    bound = None
    if topology.chip is not None:
        bound = roofline(
            topology.chip,
            flops if flops is not None else model_flops or 0,
            moved or 0,
            sent,
            model_flops_per_chip=model_flops,
            chips_per_slice=len(topology.devices) // topology.slices,
        )
    return ProgramPlan(memory, False, model_flops, flops, moved, sent, bound, seconds, tuple(notes))


def _remat_of(config: ModelConfig) -> str:
    return (config.discriminator if isinstance(config, Electra) else config).compute.remat
