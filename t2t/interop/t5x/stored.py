"""Arrays of a checkpoint, read when asked for."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorstore

from t2t.errors import UserError
from t2t.interop.sources import TensorInfo
from t2t.interop.transforms import Shape


class Stored(NamedTuple):
    """An array that is not in memory yet."""

    shape: Shape
    file: str
    read: Callable[[], np.ndarray]


class StoredArrays:
    """A `Source` of arrays by T5X's names: "target/…" (parameters), "state/…" (optimiser)."""

    def __init__(self, where: Path, arrays: Mapping[str, Stored]):
        self.where = str(where)
        self.tensors = {name: TensorInfo(a.shape, a.file) for name, a in arrays.items()}
        self._arrays = dict(arrays)

    def read(self, name: str) -> np.ndarray:
        """The array in its own dtype.

        Raises:
          UserError: if a part of it is missing or damaged, naming array and file.
        """
        try:
            return self._arrays[name].read()
        except ValueError as error:  # what TensorStore raises for everything
            raise unreadable(name, self.where, error) from error


def open_zarr(kvstore: Mapping[str, Any], *, driver: str = "zarr") -> Any:
    """A future of the TensorStore. Reads fail on missing chunks: by default they would be zeros."""
    spec = {"driver": driver, "kvstore": dict(kvstore), "fill_missing_data_reads": False}
    return tensorstore.open(spec, open=True, read=True)


def unreadable(name: str, where: str, error: Exception) -> UserError:
    """For an array that TensorStore cannot open or read."""
    reason = str(error).split(" [tensorstore_spec=")[0].splitlines()[0][:400]
    return UserError(f"Array '{name}' in {where} is missing or damaged: {reason}")
