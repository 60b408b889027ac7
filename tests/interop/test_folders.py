import json
import sys

import ml_dtypes
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.interop.folders import open_folder
from t2t.interop.reading import read_params
from t2t.interop.safetensors_format import read_header, write_file
from t2t.interop.shards import parse_size, write_shards
from t2t.interop.trees import flatten, nest
from t2t.interop.writing import their_tensors, write_tensors
from tests.interop import toy

FLOAT32 = np.dtype(np.float32)


def write(folder, max_shard_size="5GB", dtype=FLOAT32, params=None):
    tensors = their_tensors(toy.TABLE, nest(params or toy.params()))
    write_shards(folder, tensors, max_shard_size, dtype)


def read(folder):
    return flatten(read_params(toy.TABLE, open_folder(folder), nest(toy.params())))


def assert_same(actual, expected):
    assert actual.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(actual[name], array, err_msg=name)


@pytest.mark.parametrize("size", ["5GB", 400, 1])
def test_what_is_written_is_read_back_bit_by_bit(tmp_path, size):
    write(tmp_path, size)
    assert_same(read(tmp_path), toy.params())


def test_shards_and_index(tmp_path):
    write(tmp_path, 400)
    files = sorted(path.name for path in tmp_path.glob("*.safetensors"))
    assert files == [f"model-{i:05d}-of-00004.safetensors" for i in range(1, 5)]
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    tensors = write_tensors(toy.TABLE, nest(toy.params()))
    assert index["metadata"]["total_size"] == sum(array.nbytes for array in tensors.values())
    assert index["weight_map"].keys() == tensors.keys()
    for file in files:
        inside = [name for name, place in index["weight_map"].items() if place == file]
        assert sorted(read_header(tmp_path / file)) == inside
        assert sum(tensors[name].nbytes for name in inside) <= 400


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_there_is_float32_here(tmp_path, dtype):
    write(tmp_path, dtype=np.dtype(dtype))
    actual = read(tmp_path)
    assert {array.dtype for array in actual.values()} == {FLOAT32}
    assert_same(actual, {n: a.astype(dtype).astype(np.float32) for n, a in toy.params().items()})


def test_layout_of_the_file(tmp_path):
    path = tmp_path / "model.safetensors"
    arrays = np.arange(6, dtype=np.float32).reshape(2, 3), np.float32(7)
    write_file(path, {"a": (2, 3), "b": ()}, FLOAT32, [lambda: arrays])
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    assert length % 8 == 0
    assert json.loads(data[8 : 8 + length]) == {
        "__metadata__": {"format": "pt"},
        "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "b": {"dtype": "F32", "shape": [], "data_offsets": [24, 28]},
    }
    assert data[8 + length :] == np.arange(6, dtype="<f4").tobytes() + np.float32(7).tobytes()


def test_only_one_tensor_is_computed_at_a_time(tmp_path):
    alive = []

    class Watched:
        def __getitem__(self, layer):
            alive.append(layer)
            return np.zeros((7, 4), np.float32)

        shape = (3, 7, 4)

    params = toy.params() | {"decoder/layers/mlp/wo/kernel": Watched()}
    groups = list(their_tensors(toy.TABLE, nest(params)))
    assert alive == []
    next(g for g in groups if "base.h.1.mlp.weight" in g.shapes).compute()
    assert alive == [1]


def test_no_tensors(tmp_path):
    (tmp_path / "tf_model.h5").touch()
    with pytest.raises(UserError, match=r"has no model.safetensors or .*; it has: tf_model.h5\."):
        open_folder(tmp_path)
    with pytest.raises(UserError, match="it has: nothing"):
        open_folder(tmp_path / "missing")


def test_missing_shards(tmp_path):
    write(tmp_path, 400)
    (tmp_path / "model-00002-of-00004.safetensors").unlink()
    with pytest.raises(UserError, match=r"files that are not there: model-00002-of-00004\.safe"):
        open_folder(tmp_path)


def test_index_that_names_absent_tensors(tmp_path):
    write(tmp_path, 400)
    path = tmp_path / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    index["weight_map"]["ghost"] = "model-00001-of-00004.safetensors"
    path.write_text(json.dumps(index))
    with pytest.raises(UserError, match="tensors that are not there: 'ghost' in model-00001"):
        open_folder(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weight_map": 3}'])
def test_index_that_is_none(tmp_path, text):
    (tmp_path / "model.safetensors.index.json").write_text(text)
    with pytest.raises(UserError, match="is not an index of shards"):
        open_folder(tmp_path)


def header(**tensors):
    text = json.dumps(tensors).encode()
    return len(text).to_bytes(8, "little") + text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "its header would be 0 bytes of 0"),
        (b"\xff" * 16, "its header would be"),
        (header(a={"dtype": "F32", "shape": [2], "data_offsets": [0, 8]})[:-3], "would be"),
        ((4).to_bytes(8, "little") + b"{ot}", "its header cannot be read"),
        (header(a=3), "its header cannot be read"),
        (header(a={"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}), "not within its"),
        (header(a={"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}) + b"8" * 8, "has 8 byt"),
    ],
)
def test_damaged_file(tmp_path, content, reason):
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(UserError, match=rf"is damaged or no safetensors file: .*{reason}"):
        open_folder(tmp_path)


def test_unknown_dtype(tmp_path):
    content = header(a={"dtype": "F4", "shape": [2], "data_offsets": [0, 1]}) + b"1"
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(UserError, match="has a tensor of dtype F4; only F64"):
        open_folder(tmp_path).read("a")


def test_bin_without_torch(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "pytorch_model.bin").touch()
    with pytest.raises(UserError, match=r"pytorch_model\.bin' needs the package that provides"):
        open_folder(tmp_path)


@pytest.mark.parametrize(
    ("text", "size"), [("5GB", 5 * 10**9), ("1.5 MiB", 3 * 2**19), ("7B", 7), (9, 9)]
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["5", "many", "5XB", 0, -1, "0GB"])
def test_no_sizes(text):
    with pytest.raises(UserError, match="max_shard_size is"):
        parse_size(text)
