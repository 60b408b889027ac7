import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from t2t.errors import UserError
from t2t.models.definition import Model
from t2t.models.presets import t5
from t2t.training.optimizers import (
    Optimizer,
    adafactor,
    adamw,
    lamb,
    lion,
    muon,
    rms_scaled_adamw,
    sgd,
    with_ema,
)
from t2t.training.partitioning import MeshShape
from t2t.training.schedules import constant_schedule
from t2t.training.state import init_state, state_shardings
from t2t.training.trainable import Trainable
from tests.training.optimizers import references
from tests.training.optimizers.runs import (
    LAYERS,
    SHAPES,
    assert_close,
    draw,
    gradients,
    moved,
    per_layer_params,
    run,
    stack,
    stacked_gradients,
    stacked_params,
)

RATE = constant_schedule(1e-2)


def falling(step):
    return 0.1 / (step + 1)


BY_HAND = {
    "adafactor, factored": (
        adafactor(falling, min_dim_size_to_factor=4),
        functools.partial(references.adafactor, factor_from=4),
    ),
    "adafactor, full": (adafactor(falling), references.adafactor),
    "adafactor, kept full by its name": (
        adafactor(falling, min_dim_size_to_factor=4, not_factored=(".*/kernel",)),
        references.adafactor,
    ),
    "adafactor, all of its settings": (
        adafactor(
            falling,
            decay_rate=0.7,
            decay_offset=-5,
            clipping_threshold=0.5,
            multiply_by_parameter_scale=False,
            min_dim_size_to_factor=4,
            momentum=0.8,
            weight_decay=0.2,
        ),
        functools.partial(
            references.adafactor,
            decay_rate=0.7,
            offset=-5,
            threshold=0.5,
            scaled=False,
            factor_from=4,
            momentum=0.8,
            decay=0.2,
        ),
    ),
    "adamw": (
        adamw(falling, b1=0.8, b2=0.95, eps=1e-3, weight_decay=0.3),
        functools.partial(references.adam, b1=0.8, b2=0.95, eps=1e-3, decay=0.3),
    ),
    "rms_scaled_adamw": (
        rms_scaled_adamw(falling, weight_decay=0.3),
        functools.partial(references.adam, eps=1e-6, decay=0.3, relative=True),
    ),
    "lamb": (
        lamb(falling, b1=0.8, b2=0.95, eps=1e-3, weight_decay=0.3),
        functools.partial(references.lamb, b1=0.8, b2=0.95, eps=1e-3, decay=0.3),
    ),
    "lion": (lion(falling, weight_decay=0.3), functools.partial(references.lion, decay=0.3)),
}


@pytest.mark.parametrize("steps", [1, 10])
@pytest.mark.parametrize("name", BY_HAND)
def test_equals_the_paper_for_every_layer(name, steps):
    optimizer, reference = BY_HAND[name]
    after = run(optimizer.transformation, stacked_params(), stacked_gradients, steps)
    expected = [
        {
            name: reference(
                layer[name].astype(float),
                [gradients(step)[i][name].astype(float) for step in range(steps)],
                falling,
            )
            for name in SHAPES
        }
        for i, layer in enumerate(per_layer_params())
    ]
    before, after = stacked_params()["encoder"]["layers"], after["encoder"]["layers"]
    for name, actual in moved(before, after).items():
        wanted, axes = stack(expected)[name] - before[name], tuple(range(1, before[name].ndim))
        largest = [np.abs(x).max(axis=axes, keepdims=True) for x in (wanted, before[name])]
        # 1 - 0.999 has four digits in float32, and parameters have seven.
        assert np.all(np.abs(actual - wanted) <= 1e-4 * largest[0] + 5e-7 * largest[1])


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


@pytest.mark.parametrize("make", [adafactor, adamw, rms_scaled_adamw, lamb, lion, sgd])
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
@pytest.mark.parametrize("make", [adafactor, adamw, lamb, lion, muon, sgd])
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


TINY = t5(
    vocab_size=32,
    d_model=16,
    d_ff=32,
    num_heads=4,
    head_dim=8,
    num_encoder_layers=2,
    num_decoder_layers=1,
)
SHARDED = {
    "adafactor": (adafactor(RATE, min_dim_size_to_factor=8, momentum=0.9), 1e-5),
    "lamb": (lamb(RATE), 1e-5),
    "lion": (lion(RATE, weight_decay=0.1), 1e-5),
    "rms_scaled_adamw": (rms_scaled_adamw(RATE, weight_decay=0.1), 1e-5),
    "muon, averaged": (with_ema(muon(RATE, weight_decay=0.1), 0.9), 1e-4),
}


def updates_on(optimizer: Optimizer, mesh):
    """State after three updates with everything where training has it."""
    # Enough of the model to see every kind of array, and quick to compile.
    optimizer = optimizer._replace(trainable=Trainable(("encoder/layers/mlp.*", "lm_head/.*")))
    model = Model(TINY)
    selection = optimizer.trainable.select(model.abstract_params)
    shardings = state_shardings(model, optimizer, mesh)
    state = jax.jit(lambda: init_state(model, optimizer, 0), out_shardings=shardings)()

    def update(state, grads):
        trained, rest = selection.split(state.params)
        updates, opt_state = optimizer.transformation.update(grads, state.opt_state, trained)
        params = selection.merge(optax.apply_updates(trained, updates), rest)
        return state._replace(params=params, opt_state=opt_state)

    step = jax.jit(
        update,
        in_shardings=(shardings, selection.restrict(shardings.params)),
        out_shardings=shardings,
    )
    leaves, structure = jax.tree.flatten(selection.abstract(model.abstract_params))
    for number in range(3):
        drawn = [draw(leaf.shape, 100 * number + i) for i, leaf in enumerate(leaves)]
        state = step(state, jax.tree.unflatten(structure, drawn))
    return state


@pytest.mark.parametrize("name", SHARDED)
def test_sharded_updates_equal_those_on_one_device(name):
    optimizer, tolerance = SHARDED[name]

    one = updates_on(optimizer, MeshShape().mesh(jax.devices()[:1]))
    eight = updates_on(optimizer, MeshShape(2, 2, 2).mesh())
    kernel = eight.params["encoder"]["layers"]["mlp"]["wi_0"]["kernel"]
    moments = [leaf for leaf in jax.tree.leaves(eight.opt_state) if leaf.shape == kernel.shape]
    for leaf in (kernel, *moments):
        assert leaf.addressable_shards[0].data.size == leaf.size // 4  # fsdp and tensor
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=tolerance),
        jax.device_get((one.params, one.opt_state)),
        jax.device_get((eight.params, eight.opt_state)),
    )
