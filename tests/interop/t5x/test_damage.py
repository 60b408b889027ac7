"""Checkpoints that are incomplete or corrupt."""

import json
import shutil

import ml_dtypes
import numpy as np
import pytest
from flax import serialization

from t2t.errors import UserError
from t2t.interop.t5x import load_t5x
from tests.interop.t5x import checkpoints

EMBEDDING = "target.token_embedder.embedding"


@pytest.fixture
def folder(tmp_path, target):
    return checkpoints.write_legacy(
        tmp_path / "checkpoint_7", target, chunks=lambda a: [-(-size // 2) for size in a.shape]
    )


def test_a_missing_chunk(folder):
    """TensorStore's default would be to read it as zeros."""
    (folder / EMBEDDING / "0.1").unlink()
    with pytest.raises(UserError, match=r"'target/token_embedder/embedding'.* chunk \{0, 1\}"):
        load_t5x(folder)


@pytest.mark.parametrize("keep", [0, 10, 60])
def test_a_truncated_chunk(folder, keep):
    chunk = folder / EMBEDDING / "0.1"
    chunk.write_bytes(chunk.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"'target/token_embedder/embedding' in .* damaged"):
        load_t5x(folder)


def test_a_missing_array(folder):
    shutil.rmtree(folder / EMBEDDING)
    with pytest.raises(UserError, match=r"'target/token_embedder/embedding' in .* missing"):
        load_t5x(folder)


def test_an_array_of_another_shape_than_its_reference(tmp_path, folder, target):
    shutil.rmtree(folder / EMBEDDING)
    checkpoints.write_zarr(folder / EMBEDDING, np.zeros((3, 3), np.float32))
    with pytest.raises(UserError, match=r"damaged: it is \[3, 3\], but \[12, 8\] in 'checkpoint'"):
        load_t5x(folder)


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"\xc1" * 9]
)
def test_corrupt_msgpack(folder, damage):
    file = folder / "checkpoint"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(UserError, match="checkpoint' is no intact msgpack file"):
        load_t5x(folder)


@pytest.mark.parametrize("content", [7, {"model": {"a": 1}}, {"optimizer": None}])
def test_msgpack_of_something_else(folder, content):
    (folder / "checkpoint").write_bytes(serialization.msgpack_serialize(content))
    with pytest.raises(UserError, match="no checkpoint of T5X: it has no 'optimizer'"):
        load_t5x(folder)


def test_bfloat16_as_integers(tmp_path, target):
    name = "token_embedder/embedding"
    target[name] = target[name].astype(ml_dtypes.bfloat16).view(np.uint16)
    folder = checkpoints.write_legacy(tmp_path / "checkpoint_8", target)
    with pytest.raises(UserError, match=r"embedding' .* uint16, not a float. T5X wrote bfloat16"):
        load_t5x(folder)


@pytest.fixture
def orbax(golden, tmp_path):
    shutil.copytree(golden / "t5_1_1_unrolled_orbax" / "checkpoint_0", tmp_path / "checkpoint_0")
    return tmp_path / "checkpoint_0"


def test_orbax_without_its_data(orbax):
    biggest = max((orbax / "state").rglob("d/*"), key=lambda path: path.stat().st_size)
    biggest.write_bytes(biggest.read_bytes()[:1000])
    with pytest.raises(UserError, match="is missing or damaged"):
        load_t5x(orbax)


def test_orbax_with_less_than_its_metadata_name(orbax):
    file = orbax / "state" / "_METADATA"
    text = file.read_text()
    file.write_text(text.replace('"token_embedder"', '"embedder"'))
    with pytest.raises(UserError, match=r"Array '.*/embedder/embedding.*' in .* is missing"):
        load_t5x(orbax)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no intact JSON file"),
        (json.dumps({"tree_metadata": {"a": {}}}), "does not describe a tree of arrays"),
        (json.dumps({"custom": 1}), "does not describe a tree of arrays"),
    ],
)
def test_orbax_metadata(orbax, text, message):
    (orbax / "state" / "_METADATA").write_text(text)
    with pytest.raises(UserError, match=message):
        load_t5x(orbax)
