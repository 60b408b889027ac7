"""Freezing: what is left alone stays bit-equal, what is trained moves as if alone."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from t2t.errors import UserError
from t2t.models.parameter_paths import flatten
from t2t.training.optimizers import adafactor, adamw, sgd
from t2t.training.schedules import constant_schedule
from t2t.training.trainable import Trainable

LAYERS = 3
RATE = constant_schedule(1e-2)


def draw(*shape):
    return np.random.default_rng(shape).normal(size=shape).astype(np.float32)


PARAMS = {
    "token_embedder": {"embedding": draw(7, 4)},
    "encoder": {
        "layers": {"mlp": {"kernel": draw(LAYERS, 4, 4)}, "norm": {"scale": draw(LAYERS, 4)}},
        "final_norm": {"scale": draw(4)},
    },
}


def loss(params):
    """Of something like a model: every parameter matters, layers run one after the other."""

    def layer(x, weights):
        return x + jnp.tanh(x @ weights["mlp"]["kernel"]) * weights["norm"]["scale"][None], None

    encoder = params["encoder"]
    x = jax.lax.scan(layer, params["token_embedder"]["embedding"], encoder["layers"])[0]
    return jnp.sum((x * encoder["final_norm"]["scale"][None]) ** 2)


def train(trainable, optimizer, steps=3, params=PARAMS):
    """Parameters and optimiser state after a few updates."""
    selection, transformation = trainable.select(params), optimizer.transformation

    def step(params, state):
        trained, rest = selection.split(params)
        gradient = jax.grad(lambda trained: loss(selection.merge(trained, rest)))(trained)
        updates, state = transformation.update(gradient, state, trained)
        return selection.merge(optax.apply_updates(trained, updates), rest), state

    state = jax.jit(lambda: transformation.init(selection.split(params)[0]))()
    step = jax.jit(step)
    for _ in range(steps):
        params, state = step(params, state)
    return params, state


def changed(after):
    before, after = flatten(PARAMS), flatten(after)
    return {path for path in before if not np.array_equal(before[path], after[path])}


OPTIMIZERS = {
    "adamw": adamw(RATE, weight_decay=0.1),
    "adafactor": adafactor(RATE, min_dim_size_to_factor=4, weight_decay=0.1),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize(
    ("trainable", "expected"),
    [
        (Trainable(("encoder/.*",)), {p for p in flatten(PARAMS) if p.startswith("encoder")}),
        (Trainable(exclude=("encoder/.*",)), {"token_embedder/embedding"}),
        (Trainable((".*/scale",), (".*/layers/.*",)), {"encoder/final_norm/scale"}),
        (Trainable(), set(flatten(PARAMS))),
    ],
)
def test_frozen_parameters_stay_bit_equal(trainable, expected, optimizer):
    after, _ = train(trainable, optimizer)
    assert changed(after) == expected
    assert jax.tree.structure(after) == jax.tree.structure(PARAMS)


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_frozen_layers_of_a_stack_stay_bit_equal(optimizer):
    trainable = Trainable(("encoder/layers/1/.*", "token_embedder/.*", "encoder/layers/norm/.*"))
    after, _ = train(trainable, optimizer)
    before, after = flatten(PARAMS), flatten(after)
    moved = before["encoder/layers/mlp/kernel"] != after["encoder/layers/mlp/kernel"]
    assert moved.any((1, 2)).tolist() == [False, True, False]
    assert (before["encoder/layers/norm/scale"] != after["encoder/layers/norm/scale"]).any(1).all()
    assert np.array_equal(before["encoder/final_norm/scale"], after["encoder/final_norm/scale"])


def test_optimiser_state_has_the_trained_layers_alone():
    trainable = Trainable(("encoder/layers/[02]/mlp/.*", "encoder/final_norm/.*"))
    _, state = train(trainable, OPTIMIZERS["adamw"], steps=1)
    shapes = [leaf.shape for leaf in jax.tree.leaves(state) if leaf.ndim]
    assert shapes == [(4,), (2, 4, 4)] * 2  # first and second moments


def test_one_update_of_a_part_equals_that_part_of_an_update_of_all():
    partly, _ = train(Trainable(("encoder/layers/0/mlp/.*",)), sgd(RATE), steps=1)
    whole, _ = train(Trainable(), sgd(RATE), steps=1)
    partly, whole = (flatten(p)["encoder/layers/mlp/kernel"] for p in (partly, whole))
    np.testing.assert_array_equal(partly[0], whole[0])


def test_clipping_sees_the_gradients_of_trained_parameters_alone():
    trainable = Trainable(("encoder/layers/2/mlp/.*",))
    after, _ = train(trainable, sgd(constant_schedule(1.0), clip_norm=0.5), steps=1)
    moved = (
        flatten(after)["encoder/layers/mlp/kernel"] - PARAMS["encoder"]["layers"]["mlp"]["kernel"]
    )
    np.testing.assert_allclose(np.linalg.norm(moved), 0.5, rtol=1e-5)


@pytest.mark.parametrize(
    "include",
    [(".*",), ("encoder/.*",), ("encoder/layers/(0|2)/.*",), ("encoder/layers/1/norm/.*", "tok.*")],
)
def test_merge_is_the_inverse_of_split(include):
    selection = Trainable(include).select(PARAMS)
    trained, rest = selection.split(PARAMS)
    merged = selection.merge(trained, rest)
    jax.tree.map(np.testing.assert_array_equal, merged, PARAMS)
    count = sum(leaf.size for leaf in jax.tree.leaves(trained))
    abstract = selection.abstract(jax.eval_shape(lambda: PARAMS))
    assert sum(leaf.size for leaf in jax.tree.leaves(abstract)) == count
    assert jax.tree.structure(selection.restrict(PARAMS)) == jax.tree.structure(trained)


def test_training_everything_passes_the_arrays_themselves_through():
    selection = Trainable().select(PARAMS)
    trained, rest = selection.split(PARAMS)
    assert rest == {}
    merged = flatten(selection.merge(trained, rest))
    assert all(merged[path] is leaf for path, leaf in flatten(PARAMS).items())


def test_all_layers_one_by_one_are_the_whole():
    selection = Trainable(("encoder/layers/[0-9]+/mlp/kernel",)).select(PARAMS)
    assert selection.layers == {"encoder/layers/mlp/kernel": None}


def test_a_layer_can_be_left_out():
    selection = Trainable(("encoder/layers/mlp/.*",), ("encoder/layers/1/.*",)).select(PARAMS)
    assert selection.layers == {"encoder/layers/mlp/kernel": (0, 2)}


def test_restrict_takes_logical_axes():
    axes = {"token_embedder": {"embedding": ("vocab", "embed")}, "encoder": {"other": ("x",)}}
    selection = Trainable(("token.*",)).select(PARAMS)
    assert selection.restrict(axes) == {"token_embedder": {"embedding": ("vocab", "embed")}}


@pytest.mark.parametrize(
    ("trainable", "message"),
    [
        (Trainable(("encodr/.*",)), r"Trainable.include: 'encodr/.\*' matches no parameter. Did you"
         " mean 'encoder'"),
        (Trainable(exclude=("encoder/layers/3/.*",)), "Trainable.exclude: .* matches no parameter"),
        (Trainable(("layers",)), "regular expressions over whole names"),
        (Trainable(("enc(",)), "is not a regular expression: missing"),
        (Trainable(exclude=(".*",)), "Nothing is trained"),
        (Trainable(()), "Nothing is trained"),
    ],
)  # fmt: skip
def test_patterns_that_cannot_be_meant(trainable, message):
    with pytest.raises(UserError, match=message):
        trainable.select(PARAMS)
