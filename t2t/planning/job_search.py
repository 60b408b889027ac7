"""`t2t plan --search`: the fastest ways to run a training job on a topology."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from t2t.errors import UserError
from t2t.planning.estimates import Candidate
from t2t.planning.job import job_of
from t2t.planning.job_sizes import sizes_of, tensor_sizes
from t2t.planning.plan import Plan, plan_of
from t2t.planning.report import size
from t2t.planning.search import Found, Space, described, search
from t2t.planning.topology import Topology
from t2t.reporting.parameters import aligned


def search_job(
    arguments: Mapping[str, Any],
    topology: Topology,
    *,
    batch_sizes: Sequence[int] = (),
    most: int = 8,
    tell: Callable[[str], None] = lambda line: None,
) -> Found[Plan]:
    """Plans what `train(**arguments)` would run in other ways, at most `most` of them.

    Args:
      arguments: of `t2t.training.loop.train`; mesh, rematerialisation and microbatches are chosen.
      topology: to compile for.
      batch_sizes: to choose from; none for that of the arguments.
      most: programs to compile.
      tell: takes lines on how it goes.

    Raises:
      UserError: if the topology has no rates, nothing can fit, or for what `train` would refuse.
    """
    if topology.chip is None:
        raise UserError(
            f"--search ranks by the chip's published rates, and {topology.name} has none; name the "
            f"chips to plan for, such as --topology=v5e:4x4."
        )
    job = job_of(arguments)
    space = Space(
        chips=len(topology.devices),
        slices=topology.slices,
        tensor=tensor_sizes(job.model.config),
        batch_sizes=batch_sizes or (job.batch_size,),
        like=job.mesh,
    )

    def plan(candidate: Candidate) -> Plan:
        changed = {**arguments, "microbatches": candidate.microbatches}
        return plan_of(
            changed,
            topology,
            mesh=candidate.mesh,
            remat=candidate.remat,
            batch_size=candidate.batch_size,
        )

    return search(plan, space, sizes_of(job), topology.chip, most=most, tell=tell)


def search_report(found: Found[Plan]) -> str:
    """What a search came to, as lines to read; the best with the flags that choose it."""
    tried = len(found.best) + len(found.too_big) + len(found.refused)
    lines = [
        f"{tried} compiled: {len(found.best)} fit, {len(found.too_big)} too big, "
        f"{len(found.refused)} refused; {found.pruned} ruled out before, {found.untried} not tried"
    ]
    if found.best:
        rows = [("tokens/s", "at best", "MFU", "bound", "memory per chip", "")]
        for candidate, plan in found.best:
            bound = plan.train.roofline
            if bound is None:
                continue
            rows.append(
                (
                    f"{plan.tokens_per_second:,.0f}",
                    f"{plan.tokens / bound.step_seconds:,.0f}",
                    f"{bound.serial_mfu:.0%} to {bound.mfu:.0%}",
                    bound.bound,
                    size(plan.train.memory.total),
                    described(candidate),
                )
            )
        lines += ["", *aligned(rows), "", f"the first: {flags(found.best[0][0])}"]
    lines += [f"refused: {described(candidate)}: {why}" for candidate, why in found.refused]
    return "\n".join(lines)


def flags(candidate: Candidate) -> str:
    """What makes `t2t train` and `t2t plan` take the candidate."""
    mesh = candidate.mesh
    return (
        f"--gin.MeshShape.data={mesh.data} --gin.MeshShape.fsdp={mesh.fsdp} "
        f"--gin.MeshShape.tensor={mesh.tensor} --gin.Compute.remat=\"'{candidate.remat}'\" "
        f"--gin.train.batch_size={candidate.batch_size} "
        f"--gin.train.microbatches={candidate.microbatches}"
    )
