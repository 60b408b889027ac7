import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from t2t.errors import UserError
from t2t.training.optimizers import adafactor, adamw, lamb, sgd
from t2t.training.schedules import constant_schedule

LAYERS = 3
RATE = constant_schedule(1e-2)
SHAPES = {"kernel": (6, 10), "scale": (6,)}


def draw(shape, seed):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def per_layer_params():
    """Layers whose weights differ in size by factors of ten, as if trained."""
    return [
        {name: 10.0**i * draw(shape, i) for name, shape in SHAPES.items()} for i in range(LAYERS)
    ]


def stack(trees):
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


def gradients(step, scale=1.0):
    return [
        {name: scale * 3.0**i * draw(s, 100 * step + i) for name, s in SHAPES.items()}
        for i in range(LAYERS)
    ]


def run(transformation, params, gradients_of_step, steps=3):
    """Parameters after `steps` updates."""
    update = jax.jit(transformation.update)
    state = transformation.init(params)
    for step in range(steps):
        updates, state = update(gradients_of_step(step), state, params)
        params = optax.apply_updates(params, updates)
    return params


def assert_close(actual, expected):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), actual, expected)


def moved(before, after):
    return jax.tree.map(lambda a, b: np.asarray(b) - np.asarray(a), before, after)


OPTIMIZERS = {
    "adafactor": adafactor(RATE, min_dim_size_to_factor=4),
    "adafactor, not factored": adafactor(RATE),
    "adafactor, decayed": adafactor(RATE, min_dim_size_to_factor=4, weight_decay=0.1),
    "adamw": adamw(RATE, weight_decay=0.1),
    "lamb": lamb(RATE, weight_decay=0.1),
    "sgd": sgd(RATE),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_stacked_layers_are_updated_as_separate_ones(name):
    transformation = OPTIMIZERS[name].transformation
    separate = run(
        transformation,
        {f"block_{i}": layer for i, layer in enumerate(per_layer_params())},
        lambda step: {f"block_{i}": layer for i, layer in enumerate(gradients(step))},
    )
    stacked = run(
        transformation,
        {"encoder": {"layers": stack(per_layer_params())}},
        lambda step: {"encoder": {"layers": stack(gradients(step))}},
    )
    assert_close(stacked["encoder"]["layers"], stack(list(separate.values())))


def test_plain_optax_adafactor_mixes_stacked_layers_up():
    plain = optax.adafactor(RATE, min_dim_size_to_factor=4)
    stacked = run(plain, stack(per_layer_params()), lambda step: stack(gradients(step)), steps=1)
    separate = run(plain, per_layer_params(), gradients, steps=1)
    update = moved(stack(per_layer_params()), stacked)["kernel"]
    expected = moved(stack(per_layer_params()), stack(separate))["kernel"]
    # The first layer, whose weights are the smallest, moves far too much.
    assert np.linalg.norm(update[0]) > 5 * np.linalg.norm(expected[0])


@pytest.mark.parametrize("factor", [4, 128])
@pytest.mark.parametrize("clipping_threshold", [1.0, None])
@pytest.mark.parametrize("scaled", [True, False])
def test_leaves_of_their_own_equal_optax_adafactor(factor, clipping_threshold, scaled):
    options = {
        "decay_rate": 0.7,
        "clipping_threshold": clipping_threshold,
        "multiply_by_parameter_scale": scaled,
        "min_dim_size_to_factor": factor,
    }
    ours = adafactor(lambda step: 0.1 / (step + 1), **options).transformation
    plain = optax.adafactor(lambda step: 0.1 / (step + 1), **options)
    params = per_layer_params()[1]
    actual, expected = (
        run(optimizer, params, lambda step: gradients(step)[1]) for optimizer in (ours, plain)
    )
    assert_close(actual, expected)
    assert np.abs(moved(params, actual)["kernel"]).min() > 0


def second_moments(optimizer, params):
    state = jax.eval_shape(optimizer.transformation.init, params)
    return sum(
        leaf.size for leaf in jax.tree.leaves(state) if jnp.issubdtype(leaf.dtype, jnp.floating)
    )


def test_adafactor_keeps_row_and_column_of_every_layer_only():
    params = {"layers": {"kernel": np.zeros((LAYERS, 60, 100), np.float32)}}
    factored = second_moments(adafactor(RATE, min_dim_size_to_factor=4), params)
    full = second_moments(adafactor(RATE), params)
    assert LAYERS * 160 <= factored < LAYERS * 170
    assert LAYERS * 6000 <= full < LAYERS * 6010


MODEL_LIKE = {
    "token_embedder": {"embedding": draw((8, 6), 0)},
    "encoder": {
        "layers": {
            "norm": {"scale": draw((LAYERS, 6), 1)},
            "wi": {"kernel": draw((LAYERS, 6, 4), 2)},
        },
        "final_norm": {"scale": draw((6,), 3)},
    },
}


def lamb_by_hand(param, gradients, rate, b1, b2, eps, decay):
    """Algorithm 2 of the paper, in numpy, for a matrix; without its last two lines for a vector."""
    m = v = np.zeros(param.shape)
    for step, gradient in enumerate(gradients, start=1):
        m = b1 * m + (1 - b1) * gradient
        v = b2 * v + (1 - b2) * np.square(gradient)
        update = m / (1 - b1**step) / (np.sqrt(v / (1 - b2**step)) + eps)
        if param.ndim > 1:
            update = update + decay * param
            update = update * np.linalg.norm(param) / np.linalg.norm(update)
        param = param - rate * update
    return param


def test_lamb_is_computed_for_each_layer_as_in_the_paper():
    settings = {"b1": 0.8, "b2": 0.95, "eps": 1e-3}
    params = {"encoder": {"layers": stack(per_layer_params())}}
    after = run(
        lamb(RATE, weight_decay=0.3, **settings).transformation,
        params,
        lambda step: {"encoder": {"layers": stack(gradients(step))}},
    )
    expected = [
        {
            name: lamb_by_hand(
                layer[name], [gradients(step)[i][name] for step in range(3)], 1e-2,
                decay=0.3, **settings,
            )
            for name in SHAPES
        }
        for i, layer in enumerate(per_layer_params())
    ]  # fmt: skip
    assert_close(after["encoder"]["layers"], stack(expected))


def test_lamb_equals_optax_lamb_for_a_matrix_of_its_own():
    params = {"kernel": per_layer_params()[1]["kernel"]}
    actual, expected = (
        run(optimizer, params, lambda step: {"kernel": gradients(step)[1]["kernel"]})
        for optimizer in (lamb(RATE).transformation, optax.lamb(RATE, weight_decay=0.01))
    )
    assert_close(actual, expected)


def test_lamb_moves_a_matrix_of_zeros_as_adam_does():
    params = {"lora_b": np.zeros((2, 3), np.float32)}
    ones = {"lora_b": np.ones((2, 3), np.float32)}
    after = run(lamb(RATE).transformation, params, lambda _: ones, steps=1)
    np.testing.assert_allclose(after["lora_b"], -1e-2, rtol=1e-5)
    assert_close(run(lamb(RATE).transformation, params, lambda _: params, steps=1), params)


@pytest.mark.parametrize("make", [adamw, adafactor])
def test_decay_shrinks_matrices_and_spares_norms_also_stacked_ones(make):
    optimizer = make(constant_schedule(0.5), weight_decay=0.1)
    zeros = jax.tree.map(np.zeros_like, MODEL_LIKE)
    after = run(optimizer.transformation, MODEL_LIKE, lambda _: zeros, steps=1)

    def expect(before):
        matrix = before.shape != (6,) and before.shape != (LAYERS, 6)
        return before * 0.95 if matrix else before

    assert_close(after, jax.tree.map(expect, MODEL_LIKE))


def test_adamw_equals_optax_adamw():
    options = {"b1": 0.8, "b2": 0.95, "eps": 1e-3}
    ours = adamw(RATE, weight_decay=0.3, **options).transformation
    plain = optax.adamw(RATE, weight_decay=0.3, mask={"kernel": True, "scale": False}, **options)
    params = per_layer_params()[0]
    actual, expected = (run(o, params, lambda step: gradients(step)[0]) for o in (ours, plain))
    assert_close(actual, expected)


def test_sgd_takes_the_gradient_times_the_rate():
    params = per_layer_params()
    after = run(sgd(constant_schedule(0.5)).transformation, params, gradients, steps=1)
    assert_close(after, jax.tree.map(lambda p, g: p - 0.5 * g, params, gradients(0)))


@pytest.mark.parametrize(("clip_norm", "kept"), [(None, 1.0), (1e6, 1.0), (2.5, 0.5)])
def test_clip_norm_bounds_the_norm_of_all_gradients_together(clip_norm, kept):
    params = {"a": np.zeros(2, np.float32), "b": np.zeros((1, 2), np.float32)}
    gradient = {"a": np.array([3, 0], np.float32), "b": np.array([[0, 4]], np.float32)}  # norm 5
    after = run(
        sgd(constant_schedule(1.0), clip_norm=clip_norm).transformation,
        params,
        lambda _: gradient,
        steps=1,
    )
    assert_close(after, jax.tree.map(lambda g: -kept * g, gradient))


@pytest.mark.parametrize("make", [adafactor, adamw, lamb, sgd])
def test_every_optimizer_clips(make):
    params, size = per_layer_params()[0], [1.0, 1e3]

    def first_step(scale, clip_norm):
        transformation = make(RATE, clip_norm=clip_norm).transformation
        state = transformation.init(params)
        return transformation.update(gradients(0, scale)[0], state, params)[1]

    clipped = [first_step(scale, 1e-3) for scale in size]
    assert_close(*clipped)  # the state too has seen clipped gradients only
    if make is not sgd:
        plain = [jax.tree.leaves(first_step(scale, None)) for scale in size]
        assert not all(np.allclose(a, b) for a, b in zip(*plain, strict=True))


@pytest.mark.parametrize("clip_norm", [0.0, -1.0, float("nan")])
@pytest.mark.parametrize("make", [adafactor, adamw, lamb, sgd])
def test_clip_norm_must_be_positive(make, clip_norm):
    with pytest.raises(UserError, match=r"clip_norm must be above 0 \(or None\)"):
        make(RATE, clip_norm=clip_norm)


def test_the_schedule_is_followed_and_can_be_read():
    optimizer = sgd(lambda step: 1.0 / (step + 1))
    params = {"a": np.zeros(2, np.float32)}
    ones = {"a": np.ones(2, np.float32)}
    after = run(optimizer.transformation, params, lambda _: ones, steps=3)
    np.testing.assert_allclose(after["a"], -(1 + 1 / 2 + 1 / 3), rtol=1e-6)
    assert optimizer.learning_rate(3) == 0.25
