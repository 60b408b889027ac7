"""A plan as text for people, and as JSON for programs."""

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from t2t.planning.collectives import Collective
from t2t.planning.plan import Plan, ProgramPlan
from t2t.planning.roofline import Roofline
from t2t.reporting.parameters import aligned

MOST_COLLECTIVES = 10
"""Lines of the table; the smaller ones are summed up."""


def report(plan: Plan) -> str:
    """All of it as text."""
    programs = plan.programs
    parts = [_head(plan), _memory(plan), _verdict(plan)]
    known = {name: program for name, program in programs.items() if not program.refused}
    if known:
        parts.append(_rates(known))
    for name, program in known.items():
        parts.append(_collectives(name, program.collectives))
    notes = [f"{name}: {note}" for name, program in programs.items() for note in program.notes]
    return "\n\n".join([*parts, *notes])


def to_dict(plan: Plan) -> dict[str, Any]:
    """All of it as values that JSON has; sizes in bytes, times in seconds."""
    facts = {
        field.name: getattr(plan, field.name)
        for field in dataclasses.fields(plan)
        if field.name not in ("train", "prefill", "decode")
    }
    programs = {name: _program_dict(program) for name, program in plan.programs.items()}
    return {**facts, "fits": plan.fits, "programs": programs}


def _program_dict(program: ProgramPlan) -> dict[str, Any]:
    memory = program.memory
    bound = program.roofline
    return {
        "fits": program.fits,
        "refused": program.refused,
        "memory": {
            **dataclasses.asdict(memory),
            "total": memory.total,
            "missing": memory.missing,
        },
        "model_flops": program.model_flops,
        "program_flops": program.program_flops,
        "hbm_bytes": program.hbm_bytes,
        "collectives": [
            {"kind": kind, "group_size": group, "bytes": size, "times": times}
            for (kind, group, size), times in _by_size(program.collectives)
        ],
        "roofline": None if bound is None else _roofline_dict(bound, program),
        "compile_seconds": round(program.compile_seconds, 1),
        "notes": list(program.notes),
    }


def _roofline_dict(bound: Roofline, program: ProgramPlan) -> dict[str, Any]:
    names = ("bound", "compute_seconds", "memory_seconds", "ici_seconds", "dcn_seconds")
    values = {name: getattr(bound, name) for name in (*names, "step_seconds", "serial_seconds")}
    if program.model_flops is not None:
        values |= {"mfu": bound.mfu, "serial_mfu": bound.serial_mfu}
    return values


def _head(plan: Plan) -> str:
    shape = " x ".join(f"{name} {size}" for name, size in plan.mesh.items())
    chips = math.prod(plan.mesh.values())
    lines = [
        f"{plan.topology}: {chips:,} chip(s), mesh {shape}",
        f"batch {plan.batch_size:,} rows, {plan.tokens:,} tokens, in {plan.microbatches} part(s); "
        f"remat {plan.remat}",
    ]
    if plan.decode_batch_size:
        lines.append(f"generation of {plan.decode_batch_size:,} rows at a time")
    if not plan.exact:
        lines.append(
            "The program was compiled for CPUs: temporaries, bytes moved and collectives are "
            "estimates of what the chip's compiler makes."
        )
    return "\n".join(lines)


def _memory(plan: Plan) -> str:
    programs = plan.programs
    rows = [("bytes per chip", *programs)]
    labels = {
        "parameters": "parameters",
        "optimizer": "optimiser state",
        "batch": "batch, prompts, caches",
        "padding": "padding of these",
        "gradients": "gradients",
        "activations": "activations, temporaries" if plan.exact else "activations (estimate)",
        "results": "results",
        "program": "program",
        "total": "total",
        "capacity": "memory of the chip",
    }
    for name, label in labels.items():
        values = [getattr(program.memory, name) for program in programs.values()]
        if any(values):
            rows.append((label, *("" if v is None else size(v) for v in values)))
    return "\n".join(aligned(rows))


def _verdict(plan: Plan) -> str:
    lines = []
    for name, program in plan.programs.items():
        memory = program.memory
        if program.fits:
            spare = (
                "" if memory.capacity is None else f", {size(memory.capacity - memory.total)} free"
            )
            lines.append(f"{name}: fits{spare}" if memory.capacity else f"{name}: compiled")
            continue
        about = "about " if program.refused or not plan.exact else ""
        lines.append(
            f"{name}: DOES NOT FIT, {about}{memory.missing:,} bytes ({size(memory.missing)}) per "
            f"chip are missing"
        )
    return "\n".join(lines)


def _rates(programs: dict[str, ProgramPlan]) -> str:
    rows = [("per chip and run", *programs)]

    def add(label: str, values: Iterable[str | None]) -> None:
        cells = ["" if value is None else value for value in values]
        if any(cells):
            rows.append((label, *cells))

    each = list(programs.values())
    add("model FLOPs (arithmetic)", (_optional(p.model_flops) for p in each))
    add("program FLOPs (matrix products)", (_optional(p.program_flops) for p in each))
    add("recomputed", (_recomputed(p) for p in each))
    add("bytes to and from memory", (_optional_size(p.hbm_bytes) for p in each))
    add("bytes sent", (size(sum(c.total_bytes for c in p.collectives)) for p in each))

    def add_bound(label: str, text: Callable[[Roofline], str]) -> None:
        add(label, (None if p.roofline is None else text(p.roofline) for p in each))

    add_bound("compute bound", lambda b: _seconds(b.compute_seconds))
    add_bound("memory bound", lambda b: _seconds(b.memory_seconds))
    add_bound("interconnect bound", lambda b: _seconds(b.ici_seconds))
    if any(p.roofline and p.roofline.dcn_seconds for p in each):
        add_bound("network between slices", lambda b: _seconds(b.dcn_seconds))
    add_bound("at best", lambda b: f"{_seconds(b.step_seconds)} ({b.bound})")
    add_bound("without any overlap", lambda b: _seconds(b.serial_seconds))
    useful = [p.roofline if p.model_flops is not None else None for p in each]
    add("MFU at best", (None if b is None else f"{b.mfu:.1%}" for b in useful))
    add("MFU without any overlap", (None if b is None else f"{b.serial_mfu:.1%}" for b in useful))
    add("compiled in", (f"{p.compile_seconds:.0f} s" for p in each))
    return "\n".join(aligned(rows))


def _collectives(name: str, sent: Iterable[Collective]) -> str:
    by_size = _by_size(sent)
    if not by_size:
        return f"{name}: nothing is sent between chips"
    rows = [(f"{name}, sent per chip", "chips", "bytes each", "times", "bytes")]
    for (kind, group, each), times in by_size[:MOST_COLLECTIVES]:
        rows.append((f"  {kind}", str(group), size(each), f"{times:,}", size(each * times)))
    rest = by_size[MOST_COLLECTIVES:]
    if rest:
        times = sum(count for _, count in rest)
        total = sum(each * count for (_, _, each), count in rest)
        rows.append(("  smaller ones", "", "", f"{times:,}", size(total)))
    return "\n".join(aligned(rows))


def _by_size(sent: Iterable[Collective]) -> list[tuple[tuple[str, int, int], int]]:
    """((kind, group size, bytes), times), the most bytes in all first."""
    counts: Counter[tuple[str, int, int]] = Counter()
    for collective in sent:
        counts[collective.kind, collective.group_size, collective.bytes] += collective.times
    return sorted(counts.items(), key=lambda item: (-item[0][2] * item[1], item[0]))


def size(number: int) -> str:
    """Three digits and a binary prefix: 1.23 GiB."""
    for power, prefix in ((40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")):
        if number >= 2**power:
            return f"{_three_digits(number / 2**power)} {prefix}"
    return f"{number} B"


def _optional(number: int | None) -> str | None:
    return None if number is None else f"{number:.3e}"


def _optional_size(number: int | None) -> str | None:
    return None if number is None else size(number)


def _recomputed(program: ProgramPlan) -> str | None:
    if not program.model_flops or not program.program_flops:
        return None
    return f"{max(0.0, program.program_flops / program.model_flops - 1):.1%}"


def _seconds(number: float) -> str:
    return f"{_three_digits(number * 1000)} ms"


def _three_digits(number: float) -> str:
    """At least; never with an exponent above: 0.123, 1.23, 1,234."""
    return f"{number:,.0f}" if number >= 999.5 else f"{number:.3g}"
