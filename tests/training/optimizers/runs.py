"""Parameters like a model's, gradients for them, and what becomes of them."""

import jax
import numpy as np
import optax

LAYERS = 3
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


def stacked_params():
    return {"encoder": {"layers": stack(per_layer_params())}}


def stacked_gradients(step):
    return {"encoder": {"layers": stack(gradients(step))}}


def run(transformation, params, gradients_of_step, steps=3):
    """Parameters after `steps` updates."""
    update = jax.jit(transformation.update)
    state = transformation.init(params)
    for step in range(steps):
        updates, state = update(gradients_of_step(step), state, params)
        params = optax.apply_updates(params, updates)
    return params


def assert_close(actual, expected, rtol=1e-5):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol), actual, expected)


def moved(before, after):
    return jax.tree.map(lambda a, b: np.asarray(b) - np.asarray(a), before, after)
