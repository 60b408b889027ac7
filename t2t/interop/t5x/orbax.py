"""Checkpoints that T5X wrote through Orbax: zarr arrays, one folder each or all in one OCDBT."""

import json
from pathlib import Path
from typing import Any

import tensorstore

from t2t.errors import UserError
from t2t.interop.t5x.stored import Stored, StoredArrays, open_zarr, unreadable


def read_orbax(folder: Path) -> StoredArrays:
    """The arrays of an Orbax item.

    Raises:
      UserError: if its metadata are damaged, or an array that they name is missing.
    """
    files = {"driver": "file", "path": f"{folder.absolute()}/"}
    ocdbt = (folder / "manifest.ocdbt").is_file()
    root: dict[str, Any] = {"driver": "ocdbt", "base": files} if ocdbt else files
    metadata = _metadata(folder)
    driver = "zarr3" if metadata.get("use_zarr3") else "zarr"
    keys = _names(metadata, folder) if metadata else _listed(root, folder)
    opened = {  # all at once: each waits for the disk
        key: open_zarr(_inside(root, ".".join(key)), driver=driver) for key in keys
    }
    arrays = {}
    for key, future in opened.items():
        name = "/".join(key)
        try:
            array = future.result()
        except ValueError as error:
            raise unreadable(name, str(folder), error) from error
        arrays[name] = Stored(tuple(array.shape), ".".join(key), _reader(array))
    return StoredArrays(folder, arrays)


def _reader(array: Any):
    return lambda: array.read().result()


def _inside(root: dict[str, Any], name: str) -> dict[str, Any]:
    return {**root, "path": f"{root.get('path', '')}{name}/"}


def _metadata(folder: Path) -> dict[str, Any]:
    file = folder / "_METADATA"
    if not file.is_file():
        return {}
    try:
        return json.loads(file.read_bytes())
    except ValueError as error:
        raise UserError(f"'{file}' is no intact JSON file: {error}") from error


def _names(metadata: dict[str, Any], folder: Path) -> list[tuple[str, ...]]:
    try:
        return [
            tuple(str(key["key"]) for key in leaf["key_metadata"])
            for leaf in metadata["tree_metadata"].values()
            if leaf["value_metadata"]["value_type"] not in ("None", "Dict", "string")
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"'{folder / '_METADATA'}' does not describe a tree of arrays (no {error})."
        ) from error


def _listed(root: dict[str, Any], folder: Path) -> list[tuple[str, ...]]:
    """Names of all arrays, for old checkpoints, which have no `_METADATA`."""
    try:
        keys = tensorstore.KvStore.open(root).result().list().result()
    except ValueError as error:
        raise unreadable("manifest.ocdbt", str(folder), error) from error
    ending = "/.zarray"
    names = [key.decode() for key in keys]
    return [tuple(n.removesuffix(ending).split(".")) for n in names if n.endswith(ending)]
