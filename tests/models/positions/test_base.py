import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from t2t.errors import UserError
from t2t.models.positions import (
    ALiBi,
    LearnedPositions,
    NoPositions,
    Positions,
    RelativeBias,
    RoPE,
    SinusoidalPositions,
    TwoDimensionalPositions,
)
from tests.models.positions.builds import build

HOOKS = {
    NoPositions(): set(),
    RelativeBias(): {"bias"},
    ALiBi(): {"bias"},
    LearnedPositions(8): {"embed"},
    SinusoidalPositions(): {"embed"},
    TwoDimensionalPositions(8, 8): {"embed"},
    RoPE(): {"rotate"},
}


@pytest.mark.parametrize("spec", HOOKS, ids=lambda s: type(s).__name__)
def test_each_kind_acts_in_one_place_only(spec):
    assert isinstance(spec, Positions)
    module = build(spec)
    positions = jnp.arange(5)[None]
    x = jnp.ones((2, 5, 4, 8))
    acts = {
        "embed": module.embed(positions) is not None,
        "bias": module.bias(5, 5, jnp.float32) is not None,
        "rotate": module.rotate(x, positions) is not x,
    }
    assert {name for name, does in acts.items() if does} == HOOKS[spec]
    assert module.rotates == acts["rotate"]
    assert (module.bias_row(jnp.array(2), 5, jnp.float32) is not None) == acts["bias"]


@pytest.mark.parametrize("spec", HOOKS, ids=lambda s: type(s).__name__)
def test_modules_split_into_parameters_and_a_hashable_definition(spec):
    graphdef, state = nnx.split(build(spec), nnx.Param)
    hash(graphdef)
    module = nnx.merge(graphdef, state)
    shapes = {name: (value.shape, value.dtype) for name, value in nnx.to_pure_dict(state).items()}
    expected = {
        "RelativeBias": {"rel_embedding": (4, 32)},
        "LearnedPositions": {"embedding": (8, 8)},
        "TwoDimensionalPositions": {"embedding": (8, 8), "block_embedding": (8, 8)},
    }.get(type(spec).__name__, {})
    assert shapes == {name: (shape, jnp.float32) for name, shape in expected.items()}
    assert module.bias(3, 3, jnp.float32) is None or module.bias(3, 3, jnp.float32).ndim == 4


@pytest.mark.parametrize("spec", [RelativeBias(8, 20), ALiBi()], ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("causal", [True, False])
def test_row_of_a_decoding_step_is_the_row_of_the_full_bias(spec, causal):
    module = build(spec, causal=causal)
    full = module.bias(30, 30, jnp.float32)
    row = jax.jit(lambda position: module.bias_row(position, 30, jnp.float32))
    for position in range(30):
        np.testing.assert_array_equal(row(position), full[:, :, position : position + 1])


@pytest.mark.parametrize("spec", [RelativeBias(), ALiBi()], ids=lambda s: type(s).__name__)
def test_bias_depends_on_offsets_alone(spec):
    bias = build(spec, causal=False).bias(12, 12, jnp.float32)
    np.testing.assert_array_equal(bias[:, :, 4:, 4:], bias[:, :, :-4, :-4])


def test_only_relative_bias_may_be_of_each_layer():
    assert RelativeBias(per_layer=True).per_layer
    assert not any(spec.per_layer for spec in HOOKS)


def test_minimum_names_class_field_and_value():
    with pytest.raises(UserError, match=r"LearnedPositions.max_length must be at least 1, got 0"):
        LearnedPositions(0)
