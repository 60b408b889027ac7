"""What is compared with other implementations."""

from typing import Any

import jax

from t2t.models.definition import Model
from t2t.models.encoder_only import EncoderOnly


def output_of(config: Any, params: Any, batch: Any, head: str | None = None) -> jax.Array:
    """Logits; of an encoder the output of `head` or its first one, or of itself without any."""
    module = Model(config).bind(params)
    if not isinstance(config, EncoderOnly):
        return module(batch)
    if not config.heads:
        return module.hidden(batch)
    return module.outputs(batch, head or config.heads[0].name)


def output_and_gradients(
    config: Any, params: Any, batch: Any, weights: Any, head: str | None = None
) -> tuple:
    """The output, and gradients of its sum weighted with `weights`, of the same shape."""

    def weighted(params):
        output = output_of(config, params, batch, head)
        return (output * weights).sum(), output

    gradients, output = jax.jit(jax.grad(weighted, has_aux=True))(params)
    return output, gradients
