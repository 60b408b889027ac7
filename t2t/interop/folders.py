"""Tensors in a folder as `save_pretrained` writes it: one file, or shards and an index."""

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import ml_dtypes
import numpy as np
from safetensors import SafetensorError, safe_open

from t2t.errors import UserError
from t2t.interop.sources import Source, TensorInfo
from t2t.optional import optional_import

# What becomes float32 by a cast alone; float8 and narrower need the scales kept beside them.
_DTYPES = re.compile(r"F(64|32|16)|BF16|[IU](64|32|16|8)|BOOL")
_LISTED = 20  # faults of one kind that a message spells out


class _File(Protocol):
    """One file of tensors."""

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]: ...

    def read(self, name: str) -> np.ndarray: ...


class _SafetensorsFile:
    """Held open. `pread`, unlike `mmap`, keeps nothing in memory of tensors read before."""

    def __init__(self, path: Path):
        self._path = path
        with _explained(path):
            self._file = safe_open(path, "np", backend="pread")
            tensors = {name: self._file.get_slice(name) for name in self._file.offset_keys()}
        self.shapes = {name: tuple(tensor.get_shape()) for name, tensor in tensors.items()}
        dtypes = {name: tensor.get_dtype() for name, tensor in tensors.items()}
        if odd := [
            f"'{n}' is {dtype}" for n, dtype in dtypes.items() if not _DTYPES.fullmatch(dtype)
        ]:
            raise UserError(
                f"'{path}' has tensors of dtypes that cannot be read: {', '.join(odd[:_LISTED])}. "
                f"Convert them to float32 or bfloat16 first."
            )

    def read(self, name: str) -> np.ndarray:
        with _explained(self._path):
            return self._file.get_tensor(name)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"Cannot read '{path}': {error.strerror or error}.") from error
    except SafetensorError as error:
        raise UserError(
            f"'{path}' is damaged or no safetensors file: {error}. Was it downloaded completely?"
        ) from error


class _TorchFile:
    """Mapped into memory, so that only what is being read takes space."""

    def __init__(self, path: Path):
        self._torch = optional_import("torch", f"Reading '{path}'", extra="parity")
        self._tensors = self._load(path)
        self.shapes = {name: tuple(tensor.shape) for name, tensor in self._tensors.items()}

    def _load(self, path: Path) -> Mapping[str, Any]:
        load = functools.partial(self._torch.load, path, map_location="cpu", weights_only=True)
        try:
            try:
                tensors = load(mmap=True)
            except RuntimeError:  # files of before torch 1.6 cannot be mapped
                tensors = load()
            return {name: tensor.detach() for name, tensor in tensors.items()}
        except Exception as error:  # torch raises many kinds for what is no such file
            reason = str(error).splitlines()[0]
            raise UserError(f"'{path}' cannot be read as tensors alone: {reason}") from error

    def read(self, name: str) -> np.ndarray:
        tensor = self._tensors[name].contiguous()
        if tensor.dtype == self._torch.bfloat16:
            return tensor.view(self._torch.int16).numpy().view(ml_dtypes.bfloat16)
        return tensor.numpy()


_KINDS: dict[str, Callable[[Path], _File]] = {
    "model.safetensors": _SafetensorsFile,
    "pytorch_model.bin": _TorchFile,
}


class FolderSource:
    """All tensors of the folder."""

    def __init__(self, folder: Path, files: Mapping[str, _File], file_of: Mapping[str, str]):
        self.where = f"'{folder}'"
        self._files = files
        self.tensors = {n: TensorInfo(files[f].shapes[n], f) for n, f in file_of.items()}

    def read(self, name: str) -> np.ndarray:
        return self._files[self.tensors[name].file].read(name)


def open_folder(folder: Path) -> Source:
    """The tensors in a folder: safetensors if there are any, else PyTorch's `.bin`.

    Raises:
      UserError: if there are neither; a file is damaged or a shard is missing; a tensor is of a
        dtype that numpy cannot hold; the index names a tensor that is not in its shard; or torch
        is needed and not installed.
    """
    for name, kind in _KINDS.items():
        index = folder / f"{name}.index.json"
        if (folder / name).is_file():
            file = kind(folder / name)
            return FolderSource(folder, {name: file}, dict.fromkeys(file.shapes, name))
        if index.is_file():
            return _sharded(folder, index, kind)
    there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    raise UserError(
        f"'{folder}' has no model.safetensors or pytorch_model.bin, whole or sharded; it has: "
        f"{', '.join(there) or 'nothing'}."
    )


def _sharded(folder: Path, index: Path, kind: Callable[[Path], _File]) -> Source:
    try:
        file_of = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        shards = sorted(set(file_of.values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"'{index}' is not an index of shards: {error!r}.") from error
    if missing := [shard for shard in shards if not (folder / shard).is_file()]:
        raise UserError(f"'{index}' names files that are not there: {', '.join(missing)}.")
    files = {shard: kind(folder / shard) for shard in shards}
    absent = [f"'{n}' in {file}" for n, file in file_of.items() if n not in files[file].shapes]
    if absent:
        raise UserError(
            f"'{index}' names tensors that are not there: {', '.join(absent[:_LISTED])}."
        )
    return FolderSource(folder, files, file_of)
