"""Where tensors are read from: by name, one at a time."""

import dataclasses
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from t2t.interop.transforms import Shape


@dataclasses.dataclass(frozen=True)
class TensorInfo:
    """What is known of a tensor without reading it."""

    shape: Shape
    file: str  # name of the file it is in, for messages


class Source(Protocol):
    """Named tensors; `read` is what costs memory.

    Attributes:
      where: folder or file, for messages.
      tensors: all there are, by name.
    """

    @property
    def where(self) -> str: ...

    @property
    def tensors(self) -> Mapping[str, TensorInfo]: ...

    def read(self, name: str) -> np.ndarray:
        """The tensor in its own dtype: any float, bfloat16 included."""
        ...


class MemorySource:
    """Arrays that are in memory already."""

    def __init__(self, arrays: Mapping[str, np.ndarray], where: str = "memory"):
        self.where = where
        self._arrays = arrays
        self.tensors = {name: TensorInfo(a.shape, where) for name, a in arrays.items()}

    def read(self, name: str) -> np.ndarray:
        return self._arrays[name]
