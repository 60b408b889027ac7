"""The safetensors file format (https://github.com/huggingface/safetensors#format).

Eight bytes, the length of a JSON header as little-endian integer; the header, which gives dtype,
shape and place of every tensor; then their bytes. No code is ever run from such a file.
"""

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import ml_dtypes
import numpy as np

from t2t.errors import UserError
from t2t.interop.transforms import Shape

DTYPES = {
    "F64": np.dtype(np.float64),
    "F32": np.dtype(np.float32),
    "F16": np.dtype(np.float16),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "I64": np.dtype(np.int64),
    "I32": np.dtype(np.int32),
    "I16": np.dtype(np.int16),
    "I8": np.dtype(np.int8),
    "U8": np.dtype(np.uint8),
    "BOOL": np.dtype(np.bool_),
}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}
_ALIGNMENT = 8


@dataclasses.dataclass(frozen=True)
class Entry:
    """Where a tensor is in a file; `offset` in bytes from the file's beginning."""

    shape: Shape
    dtype: str
    offset: int
    size: int


def read_header(path: Path) -> dict[str, Entry]:
    """All tensors of a file.

    Raises:
      UserError: if the file cannot be read, its header is no valid one, or a tensor's place does
        not match its shape or is not within the file.
    """
    try:
        total = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if total < 8 + length:
                raise _corrupt(path, f"its header would be {length} bytes of {total}")
            header = json.loads(file.read(length))
        return {
            name: _entry(name, fields, 8 + length, total, path)
            for name, fields in header.items()
            if name != "__metadata__"
        }
    except OSError as error:
        raise UserError(f"Cannot read '{path}': {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, UserError):
            raise
        raise _corrupt(path, f"its header cannot be read ({error!r})") from error


def read_tensor(path: Path, entry: Entry) -> np.ndarray:
    """Reads one tensor.

    Raises:
      UserError: if its dtype is none of `DTYPES`.
    """
    if entry.dtype not in DTYPES:
        raise UserError(f"'{path}' has a tensor of dtype {entry.dtype}; only {', '.join(DTYPES)}.")
    data = np.fromfile(path, np.uint8, count=entry.size, offset=entry.offset)
    return data.view(DTYPES[entry.dtype]).reshape(entry.shape)


def write_file(
    path: Path,
    shapes: Mapping[str, Shape],
    dtype: np.dtype,
    groups: Iterable[Callable[[], tuple[np.ndarray, ...]]],
) -> None:
    """Writes tensors as they come, so that memory holds one group at a time.

    Args:
      path: file to make.
      shapes: of all tensors, by name, in the order of writing.
      dtype: that they are written in.
      groups: functions that return the next tensors.
    """
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + math.prod(shape) * dtype.itemsize
        header[name] = {"dtype": _NAMES[dtype], "shape": shape, "data_offsets": (start, end)}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for compute in groups:
            for array in compute():
                file.write(np.ascontiguousarray(array, dtype).reshape(-1).view(np.uint8).data)


def _entry(name: str, fields: Mapping, data: int, total: int, path: Path) -> Entry:
    start, end = fields["data_offsets"]
    shape, dtype = tuple(fields["shape"]), str(fields["dtype"])
    if not 0 <= start <= end <= total - data:
        raise _corrupt(path, f"tensor '{name}' is not within its {total} bytes")
    if dtype in DTYPES and math.prod(shape) * DTYPES[dtype].itemsize != end - start:
        raise _corrupt(path, f"tensor '{name}' of shape {list(shape)} has {end - start} bytes")
    return Entry(shape, dtype, data + start, end - start)


def _corrupt(path: Path, reason: str) -> UserError:
    return UserError(
        f"'{path}' is damaged or no safetensors file: {reason}. Was it downloaded completely?"
    )
