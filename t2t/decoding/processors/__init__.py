"""Logit processors: functions that change what may come next, or how likely it is."""

from typing import Protocol

import jax

from t2t.decoding.history import History


class Processor(Protocol):
    """float32 `[rows, vocab]` and the history to logits of the same shape; -inf forbids a token.

    Any function of this signature will do. It has to be hashable and traceable by JAX, and may not
    mix rows. Greedy decoding and sampling give it logits; beam search gives it log-probabilities,
    and does not normalise again what comes back, as Hugging Face does.
    """

    def __call__(self, logits: jax.Array, history: History, /) -> jax.Array:
        """Returns the logits to go on with."""
        ...
