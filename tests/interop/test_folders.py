import json
import resource
import sys

import ml_dtypes
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from t2t.errors import UserError
from t2t.interop import folders
from t2t.interop.folders import open_folder
from t2t.interop.reading import read_params
from t2t.interop.shards import parse_size, write_shards
from t2t.interop.writing import Tensors, their_tensors, write_tensors
from t2t.models.parameter_paths import flatten, unflatten
from tests.interop import toy

FLOAT32 = np.dtype(np.float32)


def write(folder, max_shard_size="5GB", dtype=FLOAT32, params=None):
    tensors = their_tensors(toy.TABLE, unflatten(params or toy.params()))
    write_shards(folder, tensors, max_shard_size, dtype)


def read(folder):
    return flatten(read_params(toy.TABLE, open_folder(folder), unflatten(toy.params())))


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
    tensors = write_tensors(toy.TABLE, unflatten(toy.params()))
    assert index["metadata"]["total_size"] == sum(array.nbytes for array in tensors.values())
    assert index["weight_map"].keys() == tensors.keys()
    for file in files:
        inside = [name for name, place in index["weight_map"].items() if place == file]
        assert sorted(safe_open(tmp_path / file, "np").keys()) == inside
        assert sum(tensors[name].nbytes for name in inside) <= 400


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_there_is_float32_here(tmp_path, dtype):
    write(tmp_path, dtype=np.dtype(dtype))
    actual = read(tmp_path)
    assert {array.dtype for array in actual.values()} == {FLOAT32}
    assert_same(actual, {n: a.astype(dtype).astype(np.float32) for n, a in toy.params().items()})


def test_file_as_the_library_reads_it(tmp_path):
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    tensors = Tensors({"turned": (3, 2), "scalar": ()}, lambda: (matrix.T, np.float32(7)))
    write_shards(tmp_path, [tensors], "5GB", np.dtype(ml_dtypes.bfloat16))
    path = tmp_path / "model.safetensors"
    with safe_open(path, "np") as file:
        assert file.metadata() == {"format": "pt"}
        assert file.get_slice("turned").get_dtype() == "BF16"
        np.testing.assert_array_equal(file.get_tensor("turned").astype(np.float32), matrix.T)
        assert file.get_tensor("scalar").shape == ()
        assert file.get_tensor("scalar") == 7
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    "dtype",
    ["float64", "float32", "float16", "bfloat16", "bool"]
    + [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)],
)
def test_dtypes(tmp_path, dtype):
    array = np.array([[0, 1, 1]], dtype)
    save_file({"a": array}, tmp_path / "model.safetensors")
    source = open_folder(tmp_path)
    assert source.tensors["a"].shape == (1, 3)
    assert source.read("a").dtype == array.dtype
    np.testing.assert_array_equal(source.read("a"), array)


def test_only_one_tensor_is_computed_at_a_time(tmp_path):
    alive = []

    class Watched:
        def __getitem__(self, layer):
            alive.append(layer)
            return np.zeros((7, 4), np.float32)

        shape = (3, 7, 4)

    params = toy.params() | {"decoder/layers/mlp/wo/kernel": Watched()}
    groups = list(their_tensors(toy.TABLE, unflatten(params)))
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


A = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "header too small"),
        (b"version https://git-lfs.github.com/spec/v1\n", "header too large"),
        (header(a=A)[:-3], "invalid header length"),
        ((4).to_bytes(8, "little") + b"{ot}", "invalid JSON"),
        (header(a=3), "invalid JSON"),
        (header(a=A) + b"8" * 7, "not fully covered"),
        (header(a=A | {"shape": [3]}) + b"8" * 8, "invalid shape"),
        (header(a=A | {"dtype": "F31"}) + b"8" * 8, "unknown variant `F31`"),
    ],
)
def test_damaged_file(tmp_path, content, reason):
    (tmp_path / "model.safetensors").write_bytes(content)
    message = rf"model\.safetensors' is damaged or no .*{reason}.*Was it downloaded completely\?"
    with pytest.raises(UserError, match=message):
        open_folder(tmp_path)


def test_damaged_shard_is_named(tmp_path):
    write(tmp_path, 400)
    path = tmp_path / "model-00002-of-00004.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"'.*model-00002-of-00004\.safetensors' is damaged"):
        open_folder(tmp_path)


def test_file_that_cannot_be_opened(tmp_path, monkeypatch):
    def fail(*_args, **_options):
        raise OSError("No such device (os error 19)")

    write(tmp_path)
    monkeypatch.setattr(folders, "safe_open", fail)
    with pytest.raises(UserError, match=r"Cannot read '.*model\.safetensors': No such device"):
        open_folder(tmp_path)


def test_file_cut_short_while_it_is_open(tmp_path):
    write(tmp_path)
    source = open_folder(tmp_path)
    with (tmp_path / "model.safetensors").open("r+b") as file:
        file.truncate(100)
    with pytest.raises(UserError, match=r"model\.safetensors' is damaged"):
        source.read("base.wte.weight")


def test_dtypes_that_cannot_be_held(tmp_path):
    eight = {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [8, 10]}
    four = {"dtype": "F4", "shape": [2], "data_offsets": [10, 11]}
    (tmp_path / "model.safetensors").write_bytes(header(a=A, b=eight, c=four) + b"8" * 11)
    with pytest.raises(UserError, match=r"cannot be read: 'b' is F8_E4M3, 'c' is F4\. Convert"):
        open_folder(tmp_path)


def test_no_room_to_write(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(UserError, match=r"Cannot write '.*model\.safetensors': .*too large"):
            write(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


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
