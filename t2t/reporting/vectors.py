"""Vectors of texts as files: .npy, .npz, or JSON lines."""

import array
import contextlib
import io
import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from t2t.data.vocabularies import Vocabulary
from t2t.decoding.embedder import Embedding
from t2t.errors import UserError
from t2t.reporting.records import open_output
from t2t.reporting.whole_files import whole_file

Write = Callable[[Mapping[str, Any], Embedding], None]
"""Writes what a record was and its embedding."""

_HEADER_BYTES = 128
_JSON_LINES = re.compile(r"\.jsonl(\.gz)?$")


def check_format(path: str, per_token: bool) -> None:
    """Raises UserError if the kind of file that `path` names does not hold such vectors."""
    suffix = Path(path).suffix
    if suffix == ".npy" and per_token:
        raise UserError(
            f"'{path}' would hold one vector per text, but pooling 'tokens' has one per token; "
            f"write .npz or .jsonl."
        )
    if suffix == ".npz" and not per_token:
        raise UserError(f"'{path}' is for pooling 'tokens'; one vector per text goes into .npy.")
    if path != "-" and suffix not in (".npy", ".npz") and not _JSON_LINES.search(path):
        raise UserError(f"Embeddings are written as .npy, .npz or .jsonl, but not as '{path}'.")


@contextlib.contextmanager
def open_vectors(path: str, vocabulary: Vocabulary, width: int) -> Iterator[Write]:
    """A function that writes the next record; the file appears whole, at the end, or not at all.

    .npy is float32 `[records, width]`. .npz has "vectors" float32 `[tokens, width]` and "tokens"
    int32 `[tokens]`, those of all records, and "offsets" int64 `[records + 1]` where each begins
    and the last ends. JSON lines ("-" for standard output) have the record's own fields and
    "embedding" or, if there is one per token, "tokens" and "embeddings".

    Args:
      path: checked by `check_format`.
      vocabulary: of the tokens.
      width: of a vector.
    """
    suffix = Path(path).suffix
    if suffix == ".npy":
        with whole_file(path, "wb") as file:
            yield from _npy(file, width)
    elif suffix == ".npz":
        with whole_file(path, "wb") as file:
            yield from _npz(file, width)
    else:
        with open_output(path) as write:
            yield lambda record, embedding: write(_as_json(record, embedding, vocabulary))


def _npy(file: IO[bytes], width: int) -> Iterator[Write]:
    """Written as it comes; how many rows there are is known, and written to the header, last."""
    rows = 0

    def write(_: Mapping[str, Any], embedding: Embedding) -> None:
        nonlocal rows
        rows += 1
        file.write(np.asarray(embedding.vectors, "<f4").tobytes())

    file.write(bytes(_HEADER_BYTES))
    yield write
    file.seek(0)
    # https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, version 1.0
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {width}), }}"
    magic = b"\x93NUMPY\x01\x00" + (_HEADER_BYTES - 10).to_bytes(2, "little")
    file.write(magic + header.encode().ljust(_HEADER_BYTES - 11) + b"\n")


def _npz(file: IO[bytes], width: int) -> Iterator[Write]:
    """Arrays of the archive follow each other, so until all are known they are kept on disk."""
    offsets = array.array("q", [0])
    with tempfile.TemporaryFile() as vectors, tempfile.TemporaryFile() as tokens:

        def write(_: Mapping[str, Any], embedding: Embedding) -> None:
            vectors.write(np.asarray(embedding.vectors, "<f4").tobytes())
            tokens.write(np.asarray(embedding.tokens, "<i4").tobytes())
            offsets.append(offsets[-1] + len(embedding.tokens))

        yield write
        size = offsets[-1]
        parts = {
            "vectors": ("<f4", (size, width), vectors),
            "tokens": ("<i4", (size,), tokens),
            "offsets": ("<i8", (len(offsets),), io.BytesIO(np.array(offsets, "<i8").tobytes())),
        }
        with zipfile.ZipFile(file, "w") as archive:
            for name, (kind, shape, content) in parts.items():
                header = {"descr": kind, "fortran_order": False, "shape": shape}
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array_header_1_0(entry, header)
                    content.seek(0)
                    shutil.copyfileobj(content, entry)


def _as_json(record: Mapping[str, Any], embedding: Embedding, vocabulary: Vocabulary) -> str:
    vectors = embedding.vectors.astype(str).astype(float).tolist()  # digits of float32, no more
    if embedding.vectors.ndim == 1:
        fields = {**record, "embedding": vectors}
    else:
        names = [vocabulary.readable([token]) for token in embedding.tokens]
        fields = {**record, "tokens": names, "embeddings": vectors}
    return json.dumps(fields, ensure_ascii=False)
