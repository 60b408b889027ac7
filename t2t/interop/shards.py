"""Tensors out to safetensors: one file, or shards and an index."""

import json
import math
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save_file

from t2t.errors import UserError
from t2t.interop.writing import Tensors

_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def write_shards(
    folder: Path, tensors: Iterable[Tensors], max_shard_size: str | int, dtype: np.dtype
) -> None:
    """Writes model.safetensors, or model-00001-of-0000N.safetensors and an index.

    Which tensors go where is known from their shapes; memory holds those of one file at a time.

    Args:
      folder: that exists.
      tensors: what to write.
      max_shard_size: bytes of a file, or such as "5GB"; a larger tensor has a file of its own.
      dtype: that tensors are written in.

    Raises:
      UserError: if `max_shard_size` is no size, or a file cannot be written.
    """
    shards = _planned(tensors, parse_size(max_shard_size), dtype)
    if len(shards) == 1:
        _write(folder / "model.safetensors", shards[0], dtype)
        return
    file_of = {}
    for number, shard in enumerate(shards, start=1):
        name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        _write(folder / name, shard, dtype)
        file_of.update({tensor: name for group in shard for tensor in group.shapes})
    size = sum(_bytes(group, dtype) for shard in shards for group in shard)
    index = {"metadata": {"total_size": size}, "weight_map": dict(sorted(file_of.items()))}
    text = json.dumps(index, indent=2) + "\n"
    (folder / "model.safetensors.index.json").write_text(text, encoding="utf-8")


def parse_size(size: str | int) -> int:
    """Bytes; raises UserError if it is no such size."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*", str(size))
    number = int(size) if isinstance(size, int) else 0
    if match and match[2] in _UNITS:
        number = int(float(match[1]) * _UNITS[match[2]])
    if number <= 0:
        raise UserError(
            f"max_shard_size is {size!r}; it must be a number of bytes, or one with a unit, such "
            f"as '5GB' ({', '.join(_UNITS)})."
        )
    return number


def _planned(tensors: Iterable[Tensors], limit: int, dtype: np.dtype) -> list[list[Tensors]]:
    shards: list[list[Tensors]] = [[]]
    filled = 0
    for group in tensors:
        size = _bytes(group, dtype)
        if shards[-1] and filled + size > limit:
            shards.append([])
            filled = 0
        shards[-1].append(group)
        filled += size
    return shards


def _bytes(group: Tensors, dtype: np.dtype) -> int:
    return sum(math.prod(shape) for shape in group.shapes.values()) * dtype.itemsize


def _write(path: Path, shard: list[Tensors], dtype: np.dtype) -> None:
    arrays = {
        # Transposed arrays must be laid out anew: `save_file` takes memory as it lies.
        name: np.asarray(array, dtype, order="C")
        for group in shard
        for name, array in zip(group.shapes, group.compute(), strict=True)
    }
    try:
        save_file(arrays, path, metadata={"format": "pt"})  # transformers wants a format named
    except SafetensorError as error:
        raise UserError(f"Cannot write '{path}': {error}.") from error
    path.chmod(0o644)  # from 0o600
