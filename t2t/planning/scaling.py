"""Weak scaling: the same rows on each chip, on more and more chips."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence

from t2t.planning.plan import Plan

KINDS = {
    "all-gather": "gathered",
    "reduce-scatter": "scattered",
    "all-reduce": "all-reduced",
    "collective-permute": "permuted",
    "all-to-all": "exchanged",
}
"""Kinds of collectives, and the columns of their bytes."""


@dataclasses.dataclass(frozen=True)
class Point:
    """One size of the cluster.

    Attributes:
      topology, mesh: as in `Plan`.
      chips: their number.
      tokens: of a step, per chip.
      sent: bytes that a chip sends per step, by kind of collective.
      compute_seconds, memory_seconds, interconnect_seconds: see `Roofline`.
      step_seconds, serial_seconds: with perfect overlap and with none.
      mfu, serial_mfu: what these allow.
    """

    topology: str
    mesh: Mapping[str, int]
    chips: int
    tokens: int
    sent: Mapping[str, int]
    compute_seconds: float
    memory_seconds: float
    interconnect_seconds: float
    step_seconds: float
    serial_seconds: float
    mfu: float
    serial_mfu: float

    @classmethod
    def of(cls, plan: Plan, chips: int) -> "Point":
        """Raises ValueError if the plan has no bounds: it does not fit, or is for CPUs."""
        bound = plan.train.roofline
        if bound is None:
            raise ValueError(f"{plan.topology}: there are no bounds")
        sent: Counter[str] = Counter()
        for collective in plan.train.collectives:
            sent[collective.kind] += collective.total_bytes
        return cls(
            topology=plan.topology,
            mesh=plan.mesh,
            chips=chips,
            tokens=plan.tokens // chips,
            sent=dict(sent),
            compute_seconds=bound.compute_seconds,
            memory_seconds=bound.memory_seconds,
            interconnect_seconds=bound.interconnect_seconds,
            step_seconds=bound.step_seconds,
            serial_seconds=bound.serial_seconds,
            mfu=bound.mfu,
            serial_mfu=bound.serial_mfu,
        )


def table(points: Sequence[Point]) -> list[str]:
    """A Markdown table: megabytes sent and milliseconds per chip and step.

    Efficiency is that of the first point's time per token, without overlap.
    """
    kinds = [kind for kind in KINDS if any(point.sent.get(kind) for point in points)]
    header = [
        *("chips", "mesh", *(KINDS[kind] for kind in kinds), "sent"),
        *("compute", "memory", "links", "at best", "MFU", "no overlap", "MFU", "efficiency"),
    ]
    rows = [header, ["---"] * len(header)]
    for point in points:
        mesh = ", ".join(f"{axis} {size}" for axis, size in point.mesh.items() if size > 1)
        megabytes = [point.sent.get(kind, 0) / 1e6 for kind in kinds]
        times = [point.compute_seconds, point.memory_seconds, point.interconnect_seconds]
        first = points[0]
        efficiency = (first.serial_seconds / first.tokens) / (point.serial_seconds / point.tokens)
        rows.append(
            [
                f"{point.chips} ({point.topology})",
                mesh,
                *(f"{value:,.0f}" for value in (*megabytes, sum(megabytes))),
                *(f"{1000 * seconds:,.1f}" for seconds in (*times, point.step_seconds)),
                f"{point.mfu:.0%}",
                f"{1000 * point.serial_seconds:,.1f}",
                f"{point.serial_mfu:.0%}",
                f"{efficiency:.0%}",
            ]
        )
    return [f"| {' | '.join(row)} |" for row in rows]
