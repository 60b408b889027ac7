"""Which tokens may be said at all."""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from t2t.decoding.history import History
from t2t.decoding.processors import Processor
from t2t.errors import UserError


@dataclasses.dataclass(frozen=True)
class AllowedTokens:
    """Forbids every other token.

    Without the end of sequence among `ids`, no row ends before the largest length.

    Raises:
      UserError: no ids, or one that is negative; when it is traced, one that is beyond the
        vocabulary.
    """

    ids: tuple[int, ...]

    def __post_init__(self):
        object.__setattr__(self, "ids", _checked(self.ids, "AllowedTokens"))
        if not self.ids:
            raise UserError("AllowedTokens.ids is empty, which forbids everything.")

    def __call__(self, logits: jax.Array, history: History) -> jax.Array:
        """Float32 `[rows, vocab]` -> the same, -inf where a token is forbidden."""
        return jnp.where(_marked(self, logits.shape[1]), logits, -jnp.inf)


@dataclasses.dataclass(frozen=True)
class BlockedTokens:
    """Forbids these tokens.

    Raises:
      UserError: as `AllowedTokens`; no ids would forbid nothing.
    """

    ids: tuple[int, ...]

    def __post_init__(self):
        object.__setattr__(self, "ids", _checked(self.ids, "BlockedTokens"))
        if not self.ids:
            raise UserError("BlockedTokens.ids is empty; leave the processor out.")

    def __call__(self, logits: jax.Array, history: History) -> jax.Array:
        """Float32 `[rows, vocab]` -> the same, -inf where a token is forbidden."""
        return jnp.where(_marked(self, logits.shape[1]), -jnp.inf, logits)


def check_some_allowed(processors: Sequence[Processor], vocab_size: int) -> None:
    """Raises UserError if no token could come first, told before anything is compiled.

    The processors are called in order, on logits of 0 in a row of which nothing is seen.
    """
    nothing = jnp.zeros((1, 1), jnp.int32)
    history = History.begin(nothing, nothing, max_length=1)
    logits = jnp.zeros((1, vocab_size), jnp.float32)
    for number, processor in enumerate(processors, 1):
        logits = processor(logits, history)
        if not jnp.any(logits > -jnp.inf):
            used = " and ".join(
                getattr(p, "__name__", type(p).__name__) for p in processors[:number]
            )
            raise UserError(
                f"{used} forbid{'s' * (number == 1)} every one of the {vocab_size} tokens, so "
                f"nothing can be generated; allow some."
            )


def _checked(ids: Sequence[int], name: str) -> tuple[int, ...]:
    """In order and once each, so that processors that do the same are equal."""
    checked = tuple(sorted({int(i) for i in ids}))
    if checked and checked[0] < 0:
        raise UserError(f"{name}.ids: {checked[0]} is no token; ids count from 0.")
    return checked


def _marked(processor: AllowedTokens | BlockedTokens, vocab_size: int) -> np.ndarray:
    """Bool `[1, vocab]`, True at the ids."""
    highest = processor.ids[-1]
    if highest >= vocab_size:
        raise UserError(
            f"{type(processor).__name__}.ids: {highest} is no token; the model's vocabulary has "
            f"{vocab_size}, counted from 0."
        )
    marked = np.zeros((1, vocab_size), bool)
    marked[0, list(processor.ids)] = True
    return marked
