"""What one of several hosts works on."""

import dataclasses
from collections.abc import Callable

import numpy as np


def _alone(values: np.ndarray) -> np.ndarray:
    return values[None]


@dataclasses.dataclass(frozen=True)
class Share:
    """One of `count` equal parts of what is to do.

    Attributes:
      index: of this part, from 0.
      count: of parts.
      gather: an array of this part -> those of all, `[count, ...]`; all must ask for it together.
    """

    index: int = 0
    count: int = 1
    gather: Callable[[np.ndarray], np.ndarray] = _alone
