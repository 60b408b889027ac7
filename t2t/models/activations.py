"""Activation functions by name."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from t2t.errors import UserError, did_you_mean


def _gelu_tanh(x: jax.Array) -> jax.Array:
    return jax.nn.gelu(x, approximate=True)


def _gelu_exact(x: jax.Array) -> jax.Array:
    return jax.nn.gelu(x, approximate=False)


def _relu_squared(x: jax.Array) -> jax.Array:
    return jnp.square(jax.nn.relu(x))


ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "relu": jax.nn.relu,
    "relu_squared": _relu_squared,  # Primer, https://arxiv.org/abs/2109.08668, section 3
    "gelu_exact": _gelu_exact,  # BERT, BART; Hugging Face's "gelu"
    "gelu_tanh": _gelu_tanh,  # T5 1.1, GPT-2, Gemma; T5X's "gelu", Hugging Face's "gelu_new"
    "silu": jax.nn.silu,
    "tanh": jnp.tanh,
    "linear": lambda x: x,
}


def check_activation(where: str, name: str) -> None:
    """Raises UserError unless `name` is known; `where` is the setting, for the message."""
    if name in ACTIVATIONS:
        return
    if name == "gelu":
        raise UserError(
            f"{where}: 'gelu' may be 'gelu_tanh' (T5, GPT-2, Gemma) or 'gelu_exact' (BERT, BART); "
            f"say which."
        )
    raise UserError(
        f"{where}: '{name}' is none of {', '.join(ACTIVATIONS)}." + did_you_mean(name, ACTIVATIONS)
    )
