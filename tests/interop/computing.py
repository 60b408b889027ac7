"""What is compared with other implementations."""

from typing import Any

import jax

from t2t.models.definition import Model
from t2t.models.encoder_only import EncoderOnly


def output_of(config: Any, params: Any, batch: Any) -> jax.Array:
    """Logits; of an encoder the output of its first head, or of itself if it has none."""
    module = Model(config).bind(params)
    if not isinstance(config, EncoderOnly):
        return module(batch)
    return module.outputs(batch, config.heads[0].name) if config.heads else module.hidden(batch)


def output_and_gradients(config: Any, params: Any, batch: Any, weights: Any) -> tuple:
    """The output, and gradients of its sum weighted with `weights`, of the same shape."""

    def weighted(params):
        output = output_of(config, params, batch)
        return (output * weights).sum(), output

    gradients, output = jax.jit(jax.grad(weighted, has_aux=True))(params)
    return output, gradients
