"""Every way in which T5X stores a T5 gives the same parameters."""

import ml_dtypes
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.interop.t5x import load_t5x
from t2t.interop.t5x.layout import lay_out
from t2t.models.parameter_paths import flatten
from tests.interop.t5x import checkpoints


def assert_same(loaded, expected):
    flat, wanted = flatten(loaded), flatten(expected)
    assert flat.keys() == wanted.keys()
    for name, array in flat.items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, wanted[name], err_msg=name)


def test_known_places(tmp_path, target):
    params = load_t5x(checkpoints.write_legacy(tmp_path / "checkpoint_7", target)).params
    flat = flatten(params)
    for stack, ours, theirs in (
        ("decoder", "cross_attention/key/kernel", "encoder_decoder_attention/key/kernel"),
        ("decoder", "self_attention/out/kernel", "self_attention/out/kernel"),
        ("decoder", "cross_attention_norm/scale", "pre_cross_attention_layer_norm/scale"),
        ("decoder", "self_attention_norm/scale", "pre_self_attention_layer_norm/scale"),
        ("encoder", "self_attention/value/kernel", "attention/value/kernel"),
        ("encoder", "self_attention_norm/scale", "pre_attention_layer_norm/scale"),
        ("encoder", "mlp/wi_0/kernel", "mlp/wi_0/kernel"),
    ):
        layer = flat[f"{stack}/layers/{ours}"][1]
        np.testing.assert_array_equal(layer, target[f"{stack}/layers_1/{theirs}"])
    for ours, theirs in {
        "lm_head/kernel": "decoder/logits_dense/kernel",
        "encoder/positions/rel_embedding": "encoder/relpos_bias/rel_embedding",
        "decoder/final_norm/scale": "decoder/decoder_norm/scale",
        "token_embedder/embedding": "token_embedder/embedding",
    }.items():
        np.testing.assert_array_equal(flat[ours], target[theirs])


@pytest.fixture
def expected(tmp_path, target):
    return load_t5x(checkpoints.write_legacy(tmp_path / "plain" / "checkpoint_7", target)).params


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("apart", [False, True])
def test_scanned_on_any_axis(tmp_path, target, expected, axis, apart):
    stored = checkpoints.heads_apart(target) if apart else target
    stored = checkpoints.scanned(stored, axis)
    folder = checkpoints.write_legacy(tmp_path / "checkpoint_7", stored)
    assert_same(load_t5x(folder).params, expected)


def test_as_many_layers_as_heads(target):
    """Two layers of two heads: which axis is which is decided by the other arrays."""
    for axis in (0, 1, -1):
        stored = checkpoints.scanned(checkpoints.heads_apart(target), axis)
        shapes = {name: array.shape for name, array in stored.items()}
        found = lay_out(shapes, "here")
        assert (found.sizes["heads"], found.sizes["decoder_layers"]) == (2, 2)
        assert found.scan_axis == axis


def test_chunks(tmp_path, target, expected):
    folder = checkpoints.write_legacy(
        tmp_path / "checkpoint_7", target, chunks=lambda a: [-(-size // 3) for size in a.shape]
    )
    assert len(list((folder / "target.token_embedder.embedding").glob("[0-9]*"))) == 9
    assert_same(load_t5x(folder).params, expected)


def test_arrays_in_the_msgpack_file(tmp_path, target, expected):
    folder = checkpoints.write_legacy(tmp_path / "checkpoint_7", target, inline=set(target))
    assert [path.name for path in folder.iterdir()] == ["checkpoint"]
    assert_same(load_t5x(folder).params, expected)


@pytest.mark.parametrize("inline", [False, True])
def test_bfloat16(tmp_path, target, inline):
    small = {name: array.astype(ml_dtypes.bfloat16) for name, array in target.items()}
    rounded = {name: array.astype(np.float32) for name, array in small.items()}
    names = set(target) if inline else ()
    first = checkpoints.write_legacy(tmp_path / "a" / "checkpoint_7", small, inline=names)
    second = checkpoints.write_legacy(tmp_path / "b" / "checkpoint_7", rounded)
    assert_same(load_t5x(first).params, load_t5x(second).params)


def as_written_on_gcs(spec):
    kvstore = {"driver": "gcs", "bucket": "t5x-dummy-bucket"}
    return {**spec, "kvstore": kvstore, "path": spec["kvstore"]["path"]}


def test_references_written_elsewhere(tmp_path, target, expected):
    folder = checkpoints.write_legacy(tmp_path / "checkpoint_7", target, spec=as_written_on_gcs)
    assert_same(load_t5x(folder).params, expected)


@pytest.mark.parametrize(
    "kind",
    [{}, {"driver": "zarr3"}, {"metadata": False}, {"ocdbt": False, "metadata": False}],
    ids=["ocdbt", "zarr 3", "without metadata", "folders without metadata"],
)
def test_orbax(tmp_path, target, expected, kind):
    arrays = {f"target/{name}": array for name, array in target.items()}
    arrays["state/step"] = np.array(9, np.int32)
    checkpoints.write_orbax(tmp_path / "checkpoint_11", arrays, **kind)
    loaded = load_t5x(tmp_path, 11)
    assert loaded.step == 9
    assert_same(loaded.params, expected)


def test_both_formats_of_t5x_agree(golden):
    for kind in ("unrolled", "scanned"):
        legacy = load_t5x(golden / f"t5_1_1_{kind}_legacy")
        orbax = load_t5x(golden / f"t5_1_1_{kind}_orbax" / "checkpoint_0")
        assert legacy.config == orbax.config
        assert legacy.step == orbax.step == 0
        assert_same(legacy.params, orbax.params)


def test_the_step_is_the_state_s_or_the_folder_s(tmp_path, target):
    folder = checkpoints.write_legacy(
        tmp_path / "checkpoint_9", target, state={"step": np.int32(5)}
    )
    assert load_t5x(folder).step == 5
    folder = checkpoints.write_legacy(tmp_path / "checkpoint_11", target, state={"none": None})
    assert load_t5x(folder).step == 11


def test_no_parameters(tmp_path):
    folder = checkpoints.write_legacy(tmp_path / "checkpoint_9", {})
    with pytest.raises(UserError, match=r"has no parameters \('target/'\)"):
        load_t5x(folder)
