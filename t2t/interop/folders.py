"""Tensors in a folder as `save_pretrained` writes it: one file, or shards and an index."""

import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import ml_dtypes
import numpy as np

from t2t.errors import UserError
from t2t.interop import safetensors_format
from t2t.interop.sources import Source, TensorInfo
from t2t.optional import optional_import


class _File(Protocol):
    """One file of tensors."""

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]: ...

    def read(self, name: str) -> np.ndarray: ...


class _SafetensorsFile:
    def __init__(self, path: Path):
        self._path = path
        self._entries = safetensors_format.read_header(path)
        self.shapes = {name: entry.shape for name, entry in self._entries.items()}

    def read(self, name: str) -> np.ndarray:
        return safetensors_format.read_tensor(self._path, self._entries[name])


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
      UserError: if there are neither; a file is damaged or a shard is missing; the index names a
        tensor that is not in its shard; or torch is needed and not installed.
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
        raise UserError(f"'{index}' names tensors that are not there: {', '.join(absent[:20])}.")
    return FolderSource(folder, files, file_of)
