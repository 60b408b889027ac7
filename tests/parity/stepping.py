"""Decoding step by step with a cache, compared with the whole forward pass."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from t2t.models.definition import Model
from tests.parity.harness import Case, imported, random_batch, real


def assert_steps_equal_forward(case: Case, tolerance: float = 1e-4) -> None:
    """Feeds the decoder's inputs one by one; compares logits of real tokens."""
    config, params, _ = imported(case)
    batch = random_batch(case)
    stepwise, whole = map(np.asarray, _decoded(Model(config), params, batch))
    mask = real(whole.shape, batch)
    np.testing.assert_allclose(stepwise * mask, whole * mask, atol=tolerance)


@functools.partial(jax.jit, static_argnums=0)
def _decoded(model: Model, params: Any, batch: dict[str, jax.Array]) -> tuple[jax.Array, jax.Array]:
    module = model.bind(params)
    tokens = batch["decoder_input_tokens"]
    prompt = {**batch, "decoder_input_tokens": tokens[:, :1]}
    first, state = module.start(prompt, tokens.shape[1] - 1)

    def step(state, current):
        logits, state = module.decode_step(current, state)
        return state, logits

    _, logits = jax.lax.scan(step, state, tokens.T[1:])
    return jnp.concatenate([first[None], logits]).swapaxes(0, 1), module(batch)
