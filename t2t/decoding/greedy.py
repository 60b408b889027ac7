"""Greedy decoding."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from t2t.decoding import token_by_token
from t2t.decoding.history import History
from t2t.decoding.strategy import Decoder, Generated, Rules, Strategy


@dataclasses.dataclass(frozen=True)
class Greedy(Strategy):
    """The likeliest token at every step."""

    @property
    def num_returned(self) -> int:
        return 1

    def search(
        self, module: Decoder, logits: jax.Array, state: Any, history: History, rules: Rules
    ) -> Generated:
        def likeliest(logits: jax.Array, history: History) -> jax.Array:
            return jnp.argmax(logits, axis=-1)

        return token_by_token.decode(module, logits, state, history, rules, likeliest)
