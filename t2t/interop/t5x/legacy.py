"""T5X's own format: a msgpack file of small arrays and of references to zarr folders beside it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from flax import serialization

from t2t.errors import UserError
from t2t.interop.t5x.stored import Stored, StoredArrays, open_zarr


def read_legacy(folder: Path) -> StoredArrays:
    """The arrays of a checkpoint in T5X's own format.

    Raises:
      UserError: if the msgpack file is damaged or of another kind.
    """
    file = folder / "checkpoint"
    try:
        tree = serialization.msgpack_restore(file.read_bytes())
    except Exception as error:  # the bytes are anyone's: every kind of error is possible
        raise UserError(f"'{file}' is no intact msgpack file: {error}") from error
    if not isinstance(tree, Mapping) or not isinstance(tree.get("optimizer"), Mapping):
        raise UserError(
            f"'{file}' is no checkpoint of T5X: it has no 'optimizer' with 'target' and 'state'."
        )
    arrays = {name: _stored(leaf, name, folder) for name, leaf in _leaves(tree["optimizer"])}
    return StoredArrays(folder, arrays)


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping) and not _is_reference(value):
            yield from _leaves(value, f"{path}/")
        elif value is not None:
            yield path, value


def _is_reference(value: Mapping[str, Any]) -> bool:
    return {"driver", "kvstore", "metadata"} <= value.keys()


def _stored(leaf: Any, name: str, folder: Path) -> Stored:
    if isinstance(leaf, Mapping):
        return _referenced(leaf, name, folder)
    value = np.asarray(leaf)
    return Stored(value.shape, "checkpoint", lambda: value)


def _referenced(spec: Mapping[str, Any], name: str, folder: Path) -> Stored:
    """`spec` is TensorStore's; where it was written (gfile, gcs, …) does not matter any more."""
    path = spec["kvstore"].get("path") or spec.get("path") or name.replace("/", ".")
    array_folder = Path(str(path).rstrip("/")).name
    kvstore = {"driver": "file", "path": f"{(folder / array_folder).absolute()}/"}
    shape = tuple(int(size) for size in spec["metadata"]["shape"])

    def read() -> np.ndarray:
        store = open_zarr(kvstore).result()
        if store.shape != shape:
            raise ValueError(f"it is {list(store.shape)}, but {list(shape)} in 'checkpoint'.")
        return store.read().result()

    return Stored(shape, array_folder, read)
