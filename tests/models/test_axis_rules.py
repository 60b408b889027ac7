import dataclasses
import logging

import jax
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh, PartitionSpec

from t2t.errors import UserError
from t2t.models import axis_rules
from t2t.models.axis_rules import MESH_AXES, AxisRules

UNCONSTRAINED = PartitionSpec.UNCONSTRAINED


def mesh_of(data=1, fsdp=1, sequence=1, tensor=1):
    devices = np.array(jax.devices()).reshape(data, fsdp, sequence, tensor)
    return Mesh(devices, MESH_AXES, axis_types=(AxisType.Auto,) * 4)


SPLIT = mesh_of(2, 2, 1, 2)
TENSOR_4 = mesh_of(fsdp=2, tensor=4)


@pytest.fixture(autouse=True)
def fresh_log(caplog):
    axis_rules._log_once.cache_clear()
    caplog.set_level(logging.INFO, logger="t2t.models.axis_rules")


def spec(size, *axes, mesh=SPLIT, rules=AxisRules()):  # noqa: B008
    return rules.spec((size,) * len(axes), axes, mesh, "a/kernel")


@pytest.mark.parametrize(
    ("axes", "expected"),
    [
        (("vocab", "embed"), ("tensor", "fsdp")),
        (("embed", "heads"), ("fsdp", "tensor")),
        (("heads", "embed"), ("tensor", "fsdp")),
        (("layers", "embed", "mlp"), (None, "fsdp", "tensor")),
        (("layers", "mlp", "embed"), (None, "tensor", "fsdp")),
        (("norm",), (None,)),
        (("heads", "relpos_buckets"), ("tensor", None)),
        (("mlp", "heads"), ("tensor", None)),  # a mesh axis splits one dimension only
        (("batch", "length", "residual"), (("data", "fsdp"), None, None)),
        (("batch", "length", "heads", "head_dim"), (("data", "fsdp"), None, "tensor", None)),
        ((None, "vocab"), (UNCONSTRAINED, "tensor")),
    ],
)
def test_every_logical_axis_has_its_mesh_axis(axes, expected):
    assert spec(16, *axes) == PartitionSpec(*expected)


def test_positions_are_split_over_the_sequence_axis_and_those_attended_to_are_whole():
    mesh = mesh_of(data=2, sequence=4)
    assert spec(8, "batch", "length", mesh=mesh) == PartitionSpec("data", "sequence")
    assert spec(8, "batch", "keys", mesh=mesh) == PartitionSpec("data", None)


def test_mesh_axes_of_size_one_split_nothing():
    assert spec(16, "embed", "mlp", mesh=mesh_of(fsdp=8)) == PartitionSpec("fsdp", None)
    assert spec(16, "embed", "mlp", mesh=mesh_of(data=8)) == PartitionSpec(None, None)
    assert spec(16, "batch", mesh=mesh_of(fsdp=8)) == PartitionSpec("fsdp")


def test_the_first_candidate_wins_that_is_free_and_divides():
    rules = AxisRules(mlp=("fsdp+tensor", "tensor", "data"), heads=("tensor", "data"))
    assert spec(8, "mlp", rules=rules) == PartitionSpec(("fsdp", "tensor"))
    assert spec(6, "mlp", rules=rules) == PartitionSpec("tensor")
    assert spec(8, "heads", "heads", rules=rules) == PartitionSpec("tensor", "data")
    assert spec(8, "embed", "mlp", rules=rules) == PartitionSpec("fsdp", "tensor")


def test_a_dimension_that_does_not_divide_is_kept_whole_and_logged_once(caplog):
    for _ in range(3):
        axes = ("heads", "relpos_buckets")
        found = AxisRules().spec((6, 32), axes, TENSOR_4, "encoder/bias")  # T5 1.1 small has 6
    assert found == PartitionSpec(None, None)
    assert caplog.messages == [
        "encoder/bias: heads of 6 does not divide over mesh axis tensor (4); kept whole"
    ]


def test_the_log_names_axes_that_split_together(caplog):
    assert spec(6, "embed", rules=AxisRules(embed=("data+fsdp",))) == PartitionSpec(None)
    assert "embed of 6 does not divide over mesh axis data+fsdp (4)" in caplog.text


def test_what_divides_or_is_not_to_be_split_or_has_no_name_is_not_logged(caplog):
    spec(6, "heads", "relpos_buckets")
    spec(5, "layers", "norm")
    spec(1, "batch", "length")
    AxisRules().spec((5,), ("heads",), SPLIT)
    assert caplog.messages == []


def test_shapes_and_axes_must_correspond():
    with pytest.raises(ValueError, match="zip"):
        AxisRules().spec((6, 32), ("heads",), SPLIT, "a")


def test_an_unknown_logical_axis_is_an_error_with_the_nearest_name():
    with pytest.raises(UserError, match=r"no rule for the logical axis 'heds'.*'heads'"):
        spec(4, "heds")


def test_an_unknown_mesh_axis_is_an_error_with_the_nearest_name():
    with pytest.raises(UserError, match=r"AxisRules.mlp: .* 'tensr'.* Did you mean 'tensor'"):
        AxisRules(mlp=("fsdp+tensr",))


def test_rules_can_be_hashed_though_gin_gives_lists():
    assert hash(AxisRules(mlp=["tensor"])) == hash(AxisRules())
    assert dataclasses.replace(AxisRules(), mlp=["fsdp"]).mlp == ("fsdp",)
