"""What every way of searching for a sequence has in common."""

import abc
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from t2t.decoding.history import History
from t2t.decoding.processors import Processor
from t2t.models.config import SpecialTokens


class Generated(NamedTuple):
    """What was generated for each input.

    Attributes:
      tokens: int32 `[batch, n, max_length]`, 0 after a row's end of sequence.
      scores: float32 `[batch, n]`. Of greedy decoding and sampling, sums of the log-probabilities
        of the model, before any processor or warping; of beam search, best first, after the length
        penalty. -inf where there is no such sequence: processors forbade every token, or there are
        fewer than n sequences.
    """

    tokens: jax.Array
    scores: jax.Array


class Decoder(Protocol):
    """What generation needs of a model; `t2t.models` says what `start` reads of a batch.

    States are opaque but for `take(rows)` and `repeat(n)`.
    """

    @property
    def special_tokens(self) -> SpecialTokens:
        """Its end of sequence ends rows, if it has one."""
        ...

    def start(self, batch: Any, max_length: int) -> tuple[jax.Array, Any]:
        """Float32 logits `[rows, vocab]` of the first new token, and the state."""
        ...

    def decode_step(self, tokens: jax.Array, state: Any) -> tuple[jax.Array, Any]:
        """Float32 logits `[rows, vocab]` of the token after `tokens`, and the state."""
        ...


class Rules(NamedTuple):
    """What every strategy keeps to.

    Attributes:
      max_length: most tokens to generate, the end of sequence included.
      stops: ids that end a sequence; possibly none.
      processors: applied in this order.
      seeds: int32 `[batch]`, for what is drawn.
      active: bool `[batch]`; the other rows give zeros, and nothing waits for them.
    """

    max_length: int
    stops: tuple[int, ...]
    processors: tuple[Processor, ...]
    seeds: jax.Array
    active: jax.Array

    def process(self, logits: jax.Array, history: History) -> jax.Array:
        """Float32 logits `[rows, vocab]` after all processors."""
        for processor in self.processors:
            logits = processor(logits, history)
        return logits

    def ends(self, tokens: jax.Array) -> jax.Array:
        """Which of these tokens, of any shape, end a sequence."""
        marks = jnp.zeros(tokens.shape, bool)
        for stop in self.stops:
            marks |= tokens == stop
        return marks

    def result(self, tokens: jax.Array, scores: jax.Array) -> Generated:
        """Of `[batch, n, max_length]` and `[batch, n]`; rows that are not active become zeros."""
        return Generated(
            tokens=jnp.where(self.active[:, None, None], tokens, 0),
            scores=jnp.where(self.active[:, None], scores, 0.0),
        )


class Strategy(abc.ABC):
    """A way to search for likely sequences; a frozen dataclass, so that it can be static."""

    @property
    @abc.abstractmethod
    def num_returned(self) -> int:
        """Sequences per input."""

    @abc.abstractmethod
    def search(
        self, module: Decoder, logits: jax.Array, state: Any, history: History, rules: Rules
    ) -> Generated:
        """Goes on from what `module.start` returned.

        Args:
          module: with parameters bound.
          logits: float32 `[batch, vocab]` of the first token.
          state: of `batch` rows.
          history: of `batch` rows, the prompts.
          rules: of this generation.
        """
