"""Memory holds the parameters and, writing, one file; reading, a tensor or two."""

import tracemalloc

import numpy as np
import pytest

from t2t.interop.folders import open_folder
from t2t.interop.reading import read_params
from t2t.interop.shards import write_shards
from t2t.interop.tables import Table, linear
from t2t.interop.writing import their_tensors
from t2t.models.parameter_paths import unflatten

LAYERS, SIZE = 16, 256
TENSOR = SIZE * SIZE * 4
TABLE = Table(linear("decoder/layers/mlp/wi", "h.{layer}.wi", bias=False))
PARAMS = unflatten({"decoder/layers/mlp/wi/kernel": np.ones((LAYERS, SIZE, SIZE), np.float32)})


def peak(function, *arguments):
    """Bytes that a call needed at most, beyond those before it."""
    tracemalloc.start()
    try:
        function(*arguments)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("max_shard_size", "layers_of_a_file"), [("5GB", LAYERS), (4 * TENSOR, 4)])
def test_peak(tmp_path, max_shard_size, layers_of_a_file):
    tensors = their_tensors(TABLE, PARAMS)
    writing = peak(write_shards, tmp_path, tensors, max_shard_size, np.dtype(np.float32))
    assert writing < (layers_of_a_file + 1.5) * TENSOR
    reading = peak(lambda: read_params(TABLE, open_folder(tmp_path), PARAMS))
    assert LAYERS * TENSOR < reading < (LAYERS + 2.5) * TENSOR
