import dataclasses
import logging

import jax
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec

from t2t import config
from t2t.errors import UserError
from t2t.models import axis_rules
from t2t.models.axis_rules import AxisRules
from t2t.models.definition import Model
from t2t.models.presets import t5
from t2t.training.loop import train
from t2t.training.optimizers import adafactor, adamw
from t2t.training.partitioning import (
    MeshShape,
    batch_sharding,
    check_batch_size,
    param_shardings,
    replicated,
)
from t2t.training.schedules import constant_schedule
from t2t.training.state import abstract_state, state_shardings

SPLIT = MeshShape(data=2, fsdp=2, tensor=2)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (MeshShape(), (8, 1, 1, 1)),
        (MeshShape(data=1, fsdp=-1), (1, 8, 1, 1)),
        (MeshShape(data=-1, fsdp=2, tensor=2), (2, 2, 1, 2)),
        (MeshShape(data=2, fsdp=-1, tensor=4), (2, 1, 1, 4)),
        (MeshShape(data=1, fsdp=2, tensor=4), (1, 2, 1, 4)),
        (MeshShape(data=2, sequence=-1), (2, 1, 4, 1)),
    ],
)
def test_minus_one_stands_for_the_devices_left(shape, expected):
    mesh = shape.mesh()
    assert mesh.axis_names == ("data", "fsdp", "sequence", "tensor")
    assert mesh.devices.shape == expected
    assert set(mesh.devices.ravel()) == set(jax.devices())
    assert set(mesh.axis_types) == {AxisType.Auto}


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_mesh_of_some_devices(count):
    devices = jax.devices()[:count]
    assert list(MeshShape().mesh(devices).devices.ravel()) == devices


@pytest.mark.parametrize(
    "sizes",
    [
        (4, 1, 1),
        (8, 2, 1),
        (3, -1, 1),
        (-1, 16, 1),
        (-1, -1, 1),
        (-1, -1, -1),
        (0, 1, 8),
        (-1, 0, 1),
        (-2, -4, 1),
        (-8, -1, 1),
    ],
)
def test_other_products_are_errors_that_name_sizes_and_devices(sizes):
    data, fsdp, tensor = sizes
    message = rf"data={data}, fsdp={fsdp}, tensor={tensor} does not use the 8 device\(s\)"
    with pytest.raises(UserError, match=message):
        MeshShape(*sizes).mesh()


MODEL = Model(
    t5(
        vocab_size=24,
        d_model=8,
        d_ff=12,
        num_heads=5,  # the relative bias is replicated
        head_dim=4,
        num_encoder_layers=3,
        num_decoder_layers=1,
    )
)


def specs(tree):
    return {
        "/".join(key.key for key in path): sharding.spec
        for path, sharding in jax.tree_util.tree_leaves_with_path(tree)
    }


def test_parameters_of_a_model_are_split():
    found = specs(param_shardings(MODEL.abstract_params, MODEL.logical_axes, SPLIT.mesh()))
    expected = {
        "token_embedder/embedding": PartitionSpec("tensor", "fsdp"),
        "lm_head/kernel": PartitionSpec("fsdp", "tensor"),
        "encoder/positions/rel_embedding": PartitionSpec(None, None),
        "encoder/final_norm/scale": PartitionSpec(None),
        "encoder/layers/self_attention/query/kernel": PartitionSpec(None, "fsdp", "tensor"),
        "encoder/layers/self_attention/out/kernel": PartitionSpec(None, "tensor", "fsdp"),
        "decoder/layers/mlp/wi_0/kernel": PartitionSpec(None, "fsdp", "tensor"),
        "decoder/layers/mlp/wo/kernel": PartitionSpec(None, "tensor", "fsdp"),
        "decoder/layers/mlp_norm/scale": PartitionSpec(None, None),
    }
    assert {name: found[name] for name in expected} == expected


def state_leaves(optimizer):
    """(path, shape, spec) of every leaf of the optimiser's state."""
    shapes = jax.tree_util.tree_leaves_with_path(abstract_state(MODEL, optimizer).opt_state)
    shardings = state_shardings(MODEL, optimizer, SPLIT.mesh()).opt_state
    splits = dict(jax.tree_util.tree_leaves_with_path(shardings))
    return [(jax.tree_util.keystr(path), leaf.shape, splits[path].spec) for path, leaf in shapes]


def test_adam_moments_are_split_like_their_parameter():
    params = state_shardings(MODEL, adamw(constant_schedule(1.0)), SPLIT.mesh()).params
    by_path = {
        jax.tree_util.keystr(path): sharding.spec
        for path, sharding in jax.tree_util.tree_leaves_with_path(params)
    }
    moments = 0
    for path, shape, spec in state_leaves(adamw(constant_schedule(1.0))):
        matches = [name for name in by_path if path.endswith(name)]
        if matches:
            assert spec == by_path[matches[0]]
            moments += 1
        else:
            assert shape == ()
            assert spec == PartitionSpec()
    assert moments == 2 * len(by_path)


@pytest.mark.parametrize(
    ("parameter", "rows", "columns"),
    [  # rows: moments without the last dimension; columns: without the one before it
        (
            "['token_embedder']['embedding']",
            ((24,), PartitionSpec("tensor")),
            ((8,), PartitionSpec("fsdp")),
        ),
        (
            "['encoder']['layers']['mlp']['wi_0']['kernel']",
            ((3, 8), PartitionSpec(None, "fsdp")),
            ((3, 12), PartitionSpec(None, "tensor")),
        ),
        (
            "['encoder']['layers']['self_attention']['out']['kernel']",
            ((3, 20), PartitionSpec(None, "tensor")),
            ((3, 8), PartitionSpec(None, "fsdp")),
        ),
    ],
)
def test_factored_moments_are_split_like_the_dimensions_they_keep(parameter, rows, columns):
    optimizer = adafactor(constant_schedule(1.0), min_dim_size_to_factor=4)
    found = [(s, spec) for path, s, spec in state_leaves(optimizer) if parameter in path]
    assert rows in found
    assert columns in found
    # What else there is (a counter, the placeholder of the full moment) is replicated.
    others = [spec for shape, spec in found if (shape, spec) not in (rows, columns)]
    assert all(set(spec) <= {None} for spec in others)


def test_unfactored_moments_are_split_like_their_parameter():
    found = state_leaves(adafactor(constant_schedule(1.0)))
    kernel = "['encoder']['layers']['mlp']['wi_0']['kernel']"
    full = [spec for path, shape, spec in found if kernel in path and shape == (3, 8, 12)]
    assert full == [PartitionSpec(None, "fsdp", "tensor")]


def test_batches_are_split_over_data_and_fsdp():
    mesh = MeshShape(data=2, fsdp=2, tensor=2).mesh()
    rows = jax.device_put(np.arange(16).reshape(8, 2), batch_sharding(mesh))
    assert {shard.data.shape for shard in rows.addressable_shards} == {(2, 2)}
    whole = jax.device_put(np.arange(16).reshape(8, 2), replicated(mesh))
    assert {shard.data.shape for shard in whole.addressable_shards} == {(8, 2)}


@pytest.mark.parametrize(
    ("shape", "ways"), [((8, 1, 1), 8), ((1, 8, 1), 8), ((2, 2, 2), 4), ((1, 2, 4), 2)]
)
def test_batch_size_must_divide_over_the_devices_that_see_different_rows(shape, ways):
    mesh = MeshShape(*shape).mesh()
    check_batch_size(ways, mesh)
    check_batch_size(3 * ways, mesh)
    for rows in (0, 1, ways - 1, ways + 1):
        if rows % ways or not rows:
            with pytest.raises(UserError, match=f"{rows} rows .* data x fsdp = {ways} devices"):
                check_batch_size(rows, mesh)


@pytest.mark.parametrize(
    ("rows", "microbatches", "hosts", "message"),
    [
        (20, 1, 1, "20 rows .* over data x fsdp = 8 devices; .* multiple of 8, such as 16 or 24"),
        (4, 1, 1, "4 rows .* multiple of 8, such as 8"),
        (32, 3, 1, "32 rows .* over 3 microbatches; .* multiple of 24, such as 24 or 48"),
        (36, 3, 1, "36 rows .* 3 microbatches, each over data x fsdp = 8 devices; .* 24 or 48"),
        (42, 1, 4, "42 rows .* over 4 hosts; .* multiple of 8, such as 40 or 48"),
        (8, 0, 1, "at least 1 microbatch, got 0"),
    ],
)
def test_what_does_not_divide_a_batch_is_named_with_the_nearest_sizes(
    rows, microbatches, hosts, message
):
    with pytest.raises(UserError, match=message):
        check_batch_size(rows, MeshShape(4, 2).mesh(), microbatches=microbatches, hosts=hosts)


# Slices: groups of devices with a slow network between them.


@dataclasses.dataclass(frozen=True)
class Chip:
    """What of a device says where it is."""

    id: int
    slice_index: int
    process_index: int = 0
    platform: str = "cpu"
    device_kind: str = "cpu"


CHIPS = [Chip(i, slice_index=i % 2) for i in range(8)]


def ids(mesh):
    return [[device.id for device in part.ravel()] for part in mesh.devices]


def test_data_goes_over_slices_and_everything_else_stays_within():
    mesh = MeshShape(fsdp=2, tensor=2).mesh(CHIPS)
    assert dict(mesh.shape) == {"data": 2, "fsdp": 2, "sequence": 1, "tensor": 2}
    assert ids(mesh) == [[0, 2, 4, 6], [1, 3, 5, 7]]
    assert ids(MeshShape().mesh(CHIPS)) == [[0], [2], [4], [6], [1], [3], [5], [7]]
    assert set(mesh.axis_types) == {AxisType.Auto}


def test_slices_of_devices_that_do_not_say_are_equal_parts_in_order():
    mesh = MeshShape(data=2, tensor=-1, slices=2).mesh()
    assert ids(mesh) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert ids(MeshShape(slices=4, fsdp=2).mesh()) == [[0, 1], [2, 3], [4, 5], [6, 7]]


@pytest.mark.parametrize(
    ("shape", "devices", "message"),
    [
        (MeshShape(data=1, fsdp=8), CHIPS, "MeshShape.data is 1, but there are 2 slices"),
        (MeshShape(slices=4), CHIPS, "MeshShape.slices is 4, but the devices are of 2 slices"),
        (MeshShape(data=2, fsdp=4, slices=4), None, "MeshShape.data is 2, but there are 4 slices"),
        (MeshShape(slices=3), None, r"MeshShape.slices = 3 does not divide the 8 device\(s\)"),
        (MeshShape(slices=-1), None, "MeshShape.slices = -1 does not divide"),
    ],
)
def test_slices_that_do_not_fit_are_errors(shape, devices, message):
    with pytest.raises(UserError, match=message):
        shape.mesh(devices)


def test_parameters_that_do_not_divide_are_logged_by_name_once(caplog):
    axis_rules._log_once.cache_clear()
    mesh = MeshShape(data=2, tensor=4).mesh()
    with caplog.at_level(logging.INFO, logger="t2t.models.axis_rules"):
        for _ in range(2):
            state_shardings(MODEL, adamw(constant_schedule(1.0)), mesh)
    heads = "positions/rel_embedding: heads of 5 does not divide over mesh axis tensor (4)"
    assert caplog.messages == [f"{side}/{heads}; kept whole" for side in ("decoder", "encoder")]


def test_other_rules_hold_for_parameters_and_optimiser_state():
    rules = AxisRules(embed=(), mlp=("fsdp+tensor",))
    shardings = state_shardings(MODEL, adamw(constant_schedule(1.0)), SPLIT.mesh(), rules)
    kernel = "['encoder']['layers']['mlp']['wi_0']['kernel']"
    found = [
        sharding.spec
        for path, sharding in jax.tree_util.tree_leaves_with_path(shardings)
        if jax.tree_util.keystr(path).endswith(kernel)
    ]
    assert found == [PartitionSpec(None, None, ("fsdp", "tensor"))] * 3


def test_gin_overrides_a_rule():
    bindings = ["MODEL_DIR = 'x'", "MIXTURE = 'x'", "MeshShape.tensor = 2"]
    files = ["models/bytes_tiny.gin", "runs/pretrain.gin"]
    overrides = ["AxisRules.mlp = ('fsdp+tensor', 'tensor')", "AxisRules.heads = ()"]
    config.load(files, [*bindings, *overrides])
    mesh = config.arguments_of(train)["mesh"]
    rules = AxisRules(mlp=("fsdp+tensor", "tensor"), heads=())
    assert mesh == MeshShape(tensor=2, rules=rules)
    with pytest.raises(UserError, match=r"'AxisRules' has no parameter 'mpl'.*'mlp'"):
        config.load(files, [*bindings, "AxisRules.mpl = ('tensor',)"])
