"""Compiling for chips that need not be there, and what it says when a program does not fit."""

import dataclasses
import re
import time
from typing import Any

import jax

from t2t.errors import UserError


@dataclasses.dataclass(frozen=True)
class OutOfMemory:
    """What the compiler says when it gives up, to about three digits.

    Attributes:
      needed: bytes of temporaries, or of everything if `includes_arguments`.
      available: bytes for programs.
    """

    needed: int
    available: int
    includes_arguments: bool

    @classmethod
    def read(cls, message: str) -> "OutOfMemory | None":
        """None if the message tells of something else."""
        size = r"([\d.]+)([KMGT]?)"
        temporaries = re.search(
            rf"temporaries \({size}\) exceeds available HBM \({size}\)", message
        )
        if temporaries:
            needed, available = _bytes(*temporaries.groups()[:2]), _bytes(*temporaries.groups()[2:])
            return cls(needed, available, includes_arguments=False)
        used = re.search(rf"Used {size} of {size} hbm", message, re.IGNORECASE)
        if used:
            needed, available = _bytes(*used.groups()[:2]), _bytes(*used.groups()[2:])
            return cls(needed, available, includes_arguments=True)
        return None


def _bytes(number: str, prefix: str) -> int:
    return round(float(number) * 1024 ** " KMGT".index(prefix or " "))


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A program, or why there is none.

    Attributes:
      executable: of JAX, never run; None if the compiler gave up for want of memory.
      refusal: what it said.
      seconds: of tracing and compiling.
    """

    executable: Any
    refusal: OutOfMemory | None
    seconds: float


def compiled(function: Any, *args: Any) -> Compiled:
    """Compiles for the devices of the arguments' shardings.

    Raises:
      UserError: if the compiler refuses for another reason than memory, with what it says.
    """
    started = time.perf_counter()
    lowered = function.lower(*args)
    try:
        executable, refusal = lowered.compile(), None
    except jax.errors.JaxRuntimeError as error:
        executable, refusal = None, OutOfMemory.read(str(error))
        if refusal is None:
            reason = re.sub(r"\s+", " ", str(error))[:500]
            raise UserError(f"The compiler refuses the program: {reason}") from error
    return Compiled(executable, refusal, time.perf_counter() - started)
