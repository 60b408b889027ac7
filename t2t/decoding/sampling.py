"""Sequences drawn from the model."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from t2t.decoding import stochastic_beam, token_by_token
from t2t.decoding.history import History
from t2t.decoding.processors import Processor
from t2t.decoding.processors.warping import MinP, Temperature, TopK, TopP
from t2t.decoding.strategy import Decoder, Generated, Rules, Strategy
from t2t.errors import UserError
from t2t.models.config import at_least_one


@dataclasses.dataclass(frozen=True)
class Sampling(Strategy):
    """Tokens drawn by their probability, warped in the order of the attributes.

    What is drawn for an input depends on `seed`, on the input's own seed and on the number of the
    sample, but neither on the other inputs nor on the size of the batch.

    Attributes:
      temperature: divides logits.
      top_k: draw from this many tokens, the likeliest.
      top_p: draw from the likeliest tokens that have this probability together, in (0, 1].
      min_p: draw from tokens this many times as likely as the likeliest, or more; in [0, 1].
      num_samples: sequences per input.
      seed: of all of them.
      distinct: draw without replacement, by stochastic beam search: no sequence comes twice, and
        the first of the samples is distributed as without it.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    num_samples: int = 1
    seed: int = 0
    distinct: bool = False

    def __post_init__(self):
        at_least_one(self, "num_samples")
        if not 0 <= self.seed < 2**32:  # JAX would take its last 32 bits
            raise UserError(f"Sampling.seed must be from 0 to 2 ** 32 - 1, got {self.seed}.")
        _ = self._warpers  # each checks its own setting

    @property
    def num_returned(self) -> int:
        return self.num_samples

    @property
    def _warpers(self) -> tuple[Processor, ...]:
        temperature = None if self.temperature == 1 else self.temperature
        settings: tuple[tuple[Callable[[Any], Processor], Any], ...] = (
            (Temperature, temperature),
            (TopK, self.top_k),
            (TopP, self.top_p),
            (MinP, self.min_p),
        )
        return tuple(warper(value) for warper, value in settings if value is not None)

    def search(
        self, module: Decoder, logits: jax.Array, state: Any, history: History, rules: Rules
    ) -> Generated:
        def warp(logits: jax.Array, history: History) -> jax.Array:
            return functools.reduce(lambda x, warper: warper(x, history), self._warpers, logits)

        key = jax.random.key(self.seed)
        keys = jax.vmap(lambda seed: jax.random.fold_in(key, seed))(rules.seeds)
        if self.distinct:
            return stochastic_beam.search(
                module, logits, state, history, rules, warp, keys, self.num_samples
            )
        samples = jnp.arange(self.num_samples)
        fold_in = jax.random.fold_in
        of_each = jax.vmap(lambda k: jax.vmap(lambda sample: fold_in(k, sample))(samples))
        row_keys = of_each(keys).reshape(-1)

        def draw(logits: jax.Array, history: History) -> jax.Array:
            step_keys = jax.vmap(lambda k: fold_in(k, history.step))(row_keys)
            return jax.vmap(jax.random.categorical)(step_keys, warp(logits, history))

        return token_by_token.decode(module, logits, state, history, rules, draw, self.num_samples)
