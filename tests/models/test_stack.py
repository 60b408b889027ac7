"""Shared parameters, scanned layers, rematerialisation, and settings that contradict each other."""

import dataclasses
import functools

import jax
import numpy as np
import pytest
from flax import nnx

from t2t.errors import UserError
from t2t.models.config import Compute, Dropout
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import Model
from t2t.models.positions import RoPE
from t2t.models.stack import Stack
from tests.models.computing import V1_1, count, forward, params_of

STACK = dataclasses.replace(V1_1.encoder, num_layers=4)
TOKENS = {"decoder_input_tokens": np.random.default_rng(0).integers(1, 40, (2, 8)).astype(np.int32)}


def lm(compute=Compute(), **changes):  # noqa: B008
    return DecoderOnly(40, dataclasses.replace(STACK, **changes), compute=compute)


@pytest.mark.parametrize("groups", [1, 2])
def test_shared_parameters_equal_as_many_layers_with_copies(groups):
    shared, unrolled = lm(num_groups=groups), lm()
    params = params_of(shared)
    layers = jax.tree.map(lambda x: np.repeat(x, 4 // groups, 0), params["decoder"]["layers"])
    copies = params | {"decoder": params["decoder"] | {"layers": layers}}
    expected = jax.jit(lambda p: Model(unrolled).bind(p)(TOKENS))(copies)
    np.testing.assert_allclose(forward(shared)(TOKENS), expected, rtol=1e-5, atol=1e-5)
    per_layer = (count(unrolled) - count(shared)) / (4 - groups)
    assert per_layer == sum(x.size // groups for x in jax.tree.leaves(params["decoder"]["layers"]))


def test_scanned_layers_equal_a_loop_over_them():
    stack = Model(lm()).bind(params_of(lm())).decoder
    x = np.random.default_rng(0).normal(size=(2, 16)).astype(np.float32)

    def mlp(layer, x):
        return x + layer.mlp(x[None], None)[0]

    scanned, outputs = stack.scan(lambda layer, x, *_: (mlp(layer, x), x), x)
    graphdef, stacked = nnx.split(stack.layers)
    for i in range(4):
        np.testing.assert_allclose(outputs[i], x, rtol=1e-4, atol=1e-5)
        x = mlp(nnx.merge(graphdef, jax.tree.map(lambda leaf: leaf[i], stacked)), x)  # noqa: B023
    np.testing.assert_allclose(scanned, x, rtol=1e-4, atol=1e-5)


@functools.cache
def loss_and_gradients(remat):
    model = Model(lm(Compute(remat=remat), num_groups=2))

    def loss(params):
        return jax.nn.logsumexp(model.bind(params)(TOKENS), axis=-1).sum()

    return jax.device_get(jax.jit(jax.value_and_grad(loss))(params_of(model.config)))


@pytest.mark.parametrize("remat", ["minimal", "full"])
def test_rematerialisation_changes_neither_loss_nor_gradients(remat):
    loss, gradients = loss_and_gradients("none")
    same_loss, same_gradients = loss_and_gradients(remat)
    np.testing.assert_allclose(same_loss, loss, rtol=1e-6)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4 * np.abs(b).max()),
        same_gradients,
        gradients,
    )


@pytest.mark.parametrize(("remat", "wrapped"), [("none", 0), ("minimal", 1), ("full", 1)])
def test_rematerialisation_wraps_the_layers(remat, wrapped):
    model = Model(lm(Compute(remat=remat)))
    jaxpr = jax.make_jaxpr(lambda p: model.bind(p)(TOKENS))(model.abstract_params)
    assert str(jaxpr).count("prevent_cse=False") == wrapped


def reach(config):
    """Which tokens' vectors the last position's output depends on."""
    model, params = Model(config), params_of(config)

    def last(table):
        changed = params | {"token_embedder": {"embedding": table}}
        return model.bind(changed).hidden({"decoder_input_tokens": np.arange(8)[None]})[0, -1].sum()

    gradient = jax.jit(jax.grad(last))(params["token_embedder"]["embedding"])
    return np.flatnonzero(np.abs(gradient).max(axis=1) > 1e-7).tolist()


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ({"num_layers": 1, "window": 3}, [5, 6, 7]),
        ({"num_layers": 2, "window": 3}, [3, 4, 5, 6, 7]),
        ({"num_layers": 2, "window": 3, "local_layers": (True, False)}, list(range(8))),
    ],
)
def test_local_layers_see_a_window(changes, seen):
    assert reach(lm(**changes)) == seen


def test_without_a_key_nothing_is_dropped():
    def program(rate):
        dropout = Dropout(rate, rate, rate, rate, rate, rate)
        model = Model(dataclasses.replace(lm(), dropout=dropout))
        return str(jax.make_jaxpr(lambda p: model.bind(p)(TOKENS))(model.abstract_params))

    assert program(0.5) == program(0.0)
    assert "random" not in program(0.5)


def test_dropout_depends_on_its_key_alone():
    model = Model(dataclasses.replace(lm(), dropout=Dropout(0.1, 0.1, 0.1, 0.1, 0.1)))
    run = jax.jit(lambda key: model.bind(params_of(lm()))(TOKENS, key))
    first, same, other = (run(jax.random.key(k)) for k in (0, 0, 1))
    np.testing.assert_array_equal(first, same)
    assert (np.abs(first - other).max(axis=-1) > 1e-5).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_layers": 0}, r"Stack\.num_layers must be at least 1"),
        ({"d_model": 0}, r"Stack\.d_model must be at least 1"),
        ({"num_groups": 3}, r"Stack\.num_layers = 4 .*Stack\.num_groups = 3"),
        ({"window": 0}, r"Stack\.window must be at least 1"),
        ({"window": (1, 2, 3)}, r"Stack\.window .*pair"),
        ({"window": 2, "local_layers": ()}, r"Stack\.local_layers is empty"),
        ({"local_layers": (True, False)}, r"Stack\.local_layers .*Stack\.window is None"),
        ({"local_positions": RoPE()}, r"Stack\.local_positions .*Stack\.window is None"),
        (
            {"cross_attention": STACK.attention, "merged_attention": True},
            r"Stack\.merged_attention .*Stack\.cross_attention",
        ),
    ],
)
def test_impossible_combinations_are_named(changes, message):
    with pytest.raises(UserError, match=message):
        dataclasses.replace(STACK, **changes)
    assert isinstance(STACK, Stack)
