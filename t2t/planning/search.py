"""Looks for the fastest way to run a job that fits: meshes, rematerialisation, batch sizes."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from t2t.errors import UserError
from t2t.planning.chips import Chip
from t2t.planning.estimates import Candidate, JobSizes, least_memory, rough_seconds
from t2t.training.partitioning import MeshShape


class Plan(Protocol):
    """What compiling a candidate tells."""

    @property
    def fits(self) -> bool:
        """Whether memory is enough."""

    @property
    def tokens_per_second(self) -> float:
        """By the bounds of the compiled program."""


P = TypeVar("P", bound=Plan)


@dataclasses.dataclass(frozen=True)
class Space:
    """What to choose from.

    Attributes:
      chips: number of devices.
      slices: groups of them; `data` is a multiple.
      tensor: sizes of the mesh's axis to try.
      remats, batch_sizes, microbatches: values to try.
      like: a mesh whose other settings, such as the rules, all candidates have.
    """

    chips: int
    slices: int = 1
    tensor: Sequence[int] = (1, 2, 4, 8)
    remats: Sequence[str] = ("none", "minimal", "full")
    batch_sizes: Sequence[int] = (128,)
    microbatches: Sequence[int] = (1, 2, 4)
    like: MeshShape = MeshShape()  # noqa: RUF009 (frozen)

    def meshes(self) -> list[MeshShape]:
        """All of `chips` devices without a sequence axis, those with the least splitting first."""
        return [
            dataclasses.replace(self.like, data=data, fsdp=fsdp, tensor=tensor, sequence=1)
            for tensor in self.tensor
            for fsdp in _divisors(self.chips)
            for data in [self.chips // (fsdp * tensor)]
            if data * fsdp * tensor == self.chips and data % self.slices == 0
        ]

    def candidates(self) -> list[Candidate]:
        """All in which the rows of each microbatch divide over the devices that share them."""
        choices = itertools.product(self.meshes(), self.remats, self.batch_sizes, self.microbatches)
        found = itertools.starmap(Candidate, choices)
        return [c for c in found if c.batch_size % (c.microbatches * c.ways) == 0]


@dataclasses.dataclass(frozen=True)
class Found(Generic[P]):
    """What a search came to.

    Attributes:
      best: those that fit and their plans, fastest first.
      too_big: those that do not fit though arithmetic allowed it.
      refused: those that could not be compiled, and why.
      pruned: number of those that arithmetic rules out, or that a smaller one did.
      untried: number of those for which there was no time.
    """

    best: list[tuple[Candidate, P]]
    too_big: list[Candidate]
    refused: list[tuple[Candidate, str]]
    pruned: int
    untried: int


def search(
    plan_of: Callable[[Candidate], P],
    space: Space,
    sizes: JobSizes,
    chip: Chip,
    *,
    most: int = 8,
    tell: Callable[[str], None] = lambda line: None,
) -> Found[P]:
    """Compiles the most promising candidates, at most `most` of them.

    Args:
      plan_of: compiles one; a UserError of it counts as a refusal.
      space: the candidates.
      sizes: of the job, for arithmetic.
      chip: the same.
      most: number of calls of `plan_of`.
      tell: takes lines on how it goes.

    Raises:
      UserError: if there is no candidate, or arithmetic rules out all of them.
    """
    candidates = space.candidates()
    if not candidates:
        raise UserError(
            f"No mesh of {space.chips} chips divides batches of "
            f"{', '.join(map(str, space.batch_sizes))} rows into "
            f"{', '.join(map(str, space.microbatches))} part(s)."
        )
    possible = [c for c in candidates if least_memory(c, sizes) <= chip.hbm_bytes]
    if not possible:
        least = min(least_memory(c, sizes) for c in candidates)
        raise UserError(
            f"Nothing fits: even the smallest of {len(candidates)} ways to run it needs {least:,} "
            f"bytes per chip, {least - chip.hbm_bytes:,} more than a {chip.name} has."
        )

    def promise(candidate: Candidate) -> float:
        return candidate.batch_size / rough_seconds(candidate, sizes, chip, space.slices)

    queue = sorted(possible, key=promise, reverse=True)
    best: list[tuple[Candidate, P]] = []
    too_big: list[Candidate] = []
    refused: list[tuple[Candidate, str]] = []
    skipped = tried = 0
    while queue and tried < most:
        candidate = queue.pop(0)
        if any(candidate.needs_at_least(other) for other in too_big):
            skipped += 1
            continue
        tried += 1
        tell(f"{tried} of at most {most}: {described(candidate)}")
        try:
            plan = plan_of(candidate)
        except UserError as error:
            refused.append((candidate, str(error)))
            continue
        if plan.fits:
            best.append((candidate, plan))
        else:
            too_big.append(candidate)
    best.sort(key=lambda pair: -pair[1].tokens_per_second)
    pruned = len(candidates) - len(possible) + skipped
    return Found(best, too_big, refused, pruned, len(queue))


def described(candidate: Candidate) -> str:
    """`mesh data=4 fsdp=8 tensor=1, remat full, batch 512 in 2 part(s)`."""
    mesh = candidate.mesh
    return (
        f"mesh data={mesh.data} fsdp={mesh.fsdp} tensor={mesh.tensor}, remat {candidate.remat}, "
        f"batch {candidate.batch_size:,} in {candidate.microbatches} part(s)"
    )


def _divisors(number: int) -> Iterable[int]:
    return (n for n in range(1, number + 1) if number % n == 0)
