import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.errors import UserError
from t2t.models.definition import Model
from t2t.models.feed_forward import FeedForward
from t2t.models.presets import t5

SIZES_OF_T5 = {
    "vocab_size": 24,
    "d_model": 8,
    "d_ff": 12,
    "num_heads": 2,
    "head_dim": 4,
    "num_encoder_layers": 2,
    "num_decoder_layers": 1,
}
V1_1 = t5(**SIZES_OF_T5)
V1_0 = t5(**SIZES_OF_T5, activations=("relu",), tied=True)
CONFIGS = {"1.0": V1_0, "1.1": V1_1}


@pytest.fixture(params=CONFIGS)
def model(request):
    return Model(CONFIGS[request.param])


@pytest.fixture
def params(model):
    rng = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: rng.normal(size=leaf.shape).astype(leaf.dtype), model.abstract_params
    )


def containers(tree):
    if isinstance(tree, dict):
        yield type(tree)
        for value in tree.values():
            yield from containers(value)


def test_parameters_are_plain_nested_dicts_of_float32_arrays():
    params = jax.jit(Model(V1_0).init)(jax.random.key(0))
    assert set(containers(params)) == {dict}
    assert {type(leaf) for leaf in jax.tree.leaves(params)} == {type(jnp.zeros(1))}
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}


def test_abstract_params_describe_what_init_makes(model):
    made = jax.eval_shape(model.init, jax.random.key(0))
    assert set(containers(model.abstract_params)) == {dict}
    assert jax.tree.structure(model.abstract_params) == jax.tree.structure(made)
    described = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), model.abstract_params)
    assert described == jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), made)
    assert not any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(model.abstract_params))


def test_every_dimension_has_a_logical_axis(model):
    axes = dict(
        jax.tree_util.tree_leaves_with_path(
            model.logical_axes, is_leaf=lambda x: isinstance(x, tuple)
        )
    )
    abstract = dict(jax.tree_util.tree_leaves_with_path(model.abstract_params))
    assert set(axes) == set(abstract)
    assert {path: len(names) for path, names in axes.items()} == {
        path: leaf.ndim for path, leaf in abstract.items()
    }


SIZES = {
    "vocab": {24},
    "embed": {8},
    "mlp": {12},
    "heads": {8, 2},  # heads * head_dim in kernels, heads in the relative bias
    "relpos_buckets": {32},
    "norm": {8},
    "layers": {2, 1},
}


def test_logical_axes_name_the_dimension_they_stand_at(model):
    leaves = jax.tree.leaves(model.abstract_params)
    axes = jax.tree.leaves(model.logical_axes, is_leaf=lambda x: isinstance(x, tuple))
    named = [
        (name, size)
        for leaf, names in zip(leaves, axes, strict=True)
        for name, size in zip(names, leaf.shape, strict=True)
    ]
    assert {name for name, _ in named} == set(SIZES)
    assert [(name, size) for name, size in named if size not in SIZES[name]] == []


def test_only_stacked_parameters_have_the_layers_axis_and_it_is_first(model):
    leaves = jax.tree_util.tree_leaves_with_path(
        model.logical_axes, is_leaf=lambda x: isinstance(x, tuple)
    )
    for path, names in leaves:
        stacked = any(key.key == "layers" for key in path)
        assert names.count("layers") == stacked
        assert (names[0] == "layers") == stacked


def test_bind_puts_every_parameter_in_its_place(model, params):
    module = model.bind(params)
    np.testing.assert_array_equal(
        module.token_embedder.embedding[...], params["token_embedder"]["embedding"]
    )
    for stack in ("encoder", "decoder"):
        np.testing.assert_array_equal(
            getattr(module, stack).layers.mlp.wo.kernel[...],
            params[stack]["layers"]["mlp"]["wo"]["kernel"],
        )


def test_bind_neither_changes_nor_keeps_what_it_is_given(model, params):
    copy = jax.tree.map(np.array, params)
    other = jax.tree.map(lambda leaf: leaf + 1, params)
    first, second = model.bind(params), model.bind(other)
    np.testing.assert_array_equal(
        first.token_embedder.embedding[...] + 1, second.token_embedder.embedding[...]
    )
    jax.tree.map(np.testing.assert_array_equal, params, copy)


def test_bind_refuses_other_names(model, params):
    params["encoder"]["final_norms"] = params["encoder"].pop("final_norm")
    with pytest.raises((KeyError, ValueError), match="final_norms"):
        model.bind(params)


def test_models_of_equal_configurations_are_equal_and_hashable():
    assert Model(V1_1) == Model(dataclasses.replace(V1_1))
    assert Model(V1_1) != Model(V1_0)
    assert len({Model(V1_1), Model(dataclasses.replace(V1_1)), Model(V1_0)}) == 2


def test_lists_in_settings_are_named():
    config = t5(
        vocab_size=8,
        d_model=4,
        d_ff=4,
        num_heads=1,
        head_dim=4,
        num_encoder_layers=1,
        num_decoder_layers=1,
    )
    feed_forward = FeedForward(4, ["relu"])  # type: ignore[arg-type]
    encoder = dataclasses.replace(config.encoder, feed_forward=feed_forward)
    with pytest.raises(UserError, match=r"^config\.encoder\.feed_forward\.activations: a list"):
        Model(dataclasses.replace(config, encoder=encoder))
