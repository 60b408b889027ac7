"""What decoders do, alone or behind an encoder: logits, and token after token with a cache."""

import abc

import jax
import jax.numpy as jnp

from t2t.models.architecture import Batch, prompt_places
from t2t.models.decode_state import DecodeState
from t2t.models.headed import Headed
from t2t.models.heads import LMHeadLayer
from t2t.models.layer import Memory
from t2t.models.layers import Table
from t2t.models.masks import AttentionMask
from t2t.models.transformer import TransformerStack


class LanguageModel(Headed):
    """A module with a `decoder` and an `lm_head`, to generate with.

    Subclasses set `_dtype`, that of the computation.
    """

    decoder: TransformerStack
    lm_head: LMHeadLayer
    _dtype: jnp.dtype

    @property
    @abc.abstractmethod
    def decoder_table(self) -> Table:
        """The vectors of the decoder's tokens."""

    @abc.abstractmethod
    def start(self, batch: Batch, max_length: int) -> tuple[jax.Array, DecodeState]:
        """Reads the prompt, to generate up to `max_length` tokens after it.

        Args:
          batch: `decoder_input_tokens` `[rows, prompt]`; if they are of unequal lengths they have
            padding in front, where `decoder_segment_ids` are 0.
          max_length: for how many new tokens there will be room.

        Returns:
          Float32 logits `[rows, vocab_size]` of the first new token, and the state to go on from.
        """

    def logits(self, hidden: jax.Array) -> jax.Array:
        """`[..., d_model]` -> float32 `[..., vocab_size]`."""
        table = self.decoder_table.embedding[...] if self._config.head.tied else None
        return self.lm_head(hidden, table)

    def __call__(self, batch: Batch, key: jax.Array | None = None) -> jax.Array:
        """Float32 logits `[batch, decoder's length, vocab_size]`."""
        return self.logits(self.hidden(batch, key))

    def decode_step(self, tokens: jax.Array, state: DecodeState) -> tuple[jax.Array, DecodeState]:
        """Reads one more token of each row, int `[rows]`; it sees all before, and none sees it.

        Returns:
          Float32 logits `[rows, vocab_size]` of the next one, and the state to go on from.
        """
        vectors = self.decoder_table(tokens[:, None], self._dtype)
        hidden, projected = self.decoder.step(vectors, state)
        return self.logits(hidden[:, 0]), state.advanced(projected)

    def _read_prompt(
        self,
        batch: Batch,
        mask: AttentionMask,
        max_length: int,
        memory: Memory | None = None,
        start: jax.Array | None = None,
    ) -> tuple[jax.Array, DecodeState]:
        """As `start`, for `mask` and the encoder's `memory`; positions count from `start`."""
        segments = prompt_segments(batch)
        places = prompt_places(batch, segments, start)
        vectors = self.decoder_table(batch["decoder_input_tokens"], self._dtype)
        hidden, projected = self.decoder.prefill(vectors, places, mask, memory)
        layers = self.decoder.separate_layers()
        state = DecodeState.after_prompt(layers, projected, memory, segments, places, max_length)
        return self.logits(hidden[:, -1]), state


def prompt_segments(batch: Batch) -> jax.Array:
    """int `[rows, prompt]`, 0 at the padding in front of a decoder's prompt."""
    return batch.get("decoder_segment_ids", jnp.ones_like(batch["decoder_input_tokens"]))
