"""Modules with heads for other things than the next token."""

import abc
from typing import Any, ClassVar

import jax
from flax import nnx

from t2t.errors import UserError, did_you_mean
from t2t.models.architecture import Batch, segments_of
from t2t.models.config import SpecialTokens
from t2t.models.heads import Head, LMHead
from t2t.models.layers import split_key
from t2t.models.shared import Shared


class Headed(nnx.Module):
    """What the modules of all architectures do with `heads` of their configuration.

    Subclasses set `_config`, which has `heads` and `tokens`.
    """

    _config: Any

    _read_side: ClassVar[str]
    """ "encoder" or "decoder": whose tokens are read as they are, one for each hidden state."""

    @property
    def special_tokens(self) -> SpecialTokens:
        """Ids with a meaning to the model."""
        return self._config.tokens

    @abc.abstractmethod
    def hidden(self, batch: Batch, key: jax.Array | None = None) -> jax.Array:
        """A vector per token, `[batch, length, d_model]`."""

    @abc.abstractmethod
    def logits(self, hidden: jax.Array) -> jax.Array:
        """`[..., d_model]` -> float32 `[..., vocab_size]`."""

    def add_heads(self, d_model: int, vocab_size: int, shared: Shared, keys: jax.Array) -> None:
        """Makes the parameters of each head, under its name."""
        for head, key in zip(self._config.heads, keys, strict=True):
            setattr(self, head.name, head.build(d_model, vocab_size, shared, key))

    def outputs(self, batch: Batch, name: str, key: jax.Array | None = None) -> jax.Array:
        """Float32 output of the head called `name`: logits, or pooled vectors.

        Raises:
          UserError: if there is no such head.
        """
        hidden_key, head_key = split_key(key, 2)
        self._head_called(name)
        return self.head_outputs(self.hidden(batch, hidden_key), batch, name, head_key)

    def head_outputs(
        self, hidden: jax.Array, batch: Batch, name: str, key: jax.Array | None = None
    ) -> jax.Array:
        """As `outputs`, from what `hidden` gave for the batch."""
        head = self._head_called(name)
        if isinstance(head, LMHead):
            return self.logits(hidden)
        segments = segments_of(batch, self._read_side, self._config.tokens)
        return getattr(self, name)(head.gather(hidden, segments), key)

    def _head_called(self, name: str) -> Head:
        known = {head.name: head for head in self._config.heads}
        if name not in known:
            raise UserError(
                f"This {type(self._config).__name__} has no '{name}'; its heads are: "
                f"{', '.join(known) or 'none'}.{did_you_mean(name, known)}"
            )
        return known[name]


def check_heads(where: str, heads: tuple[Head, ...]) -> None:
    """Raises UserError if there are two of a kind."""
    names = [head.name for head in heads]
    if len(set(names)) < len(names):
        raise UserError(f"{where} has two of a kind: {', '.join(names)}.")
