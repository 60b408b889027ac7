"""The decoder on its own: GPT, LLaMA, and GLM, whose prefix is read in both directions."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx

from t2t.errors import UserError
from t2t.models.architecture import Batch, check_head, places_of, token_table
from t2t.models.config import Compute, Dropout, SpecialTokens, at_least_one
from t2t.models.heads import LMHead
from t2t.models.initializers import Init, NormalInit
from t2t.models.layer import Cache
from t2t.models.masks import AttentionMask
from t2t.models.shared import Shared
from t2t.models.stack import Stack
from t2t.models.transformer import TransformerStack


@dataclasses.dataclass(frozen=True)
class DecoderOnly:
    """A causal language model; with a prefix marked in the batch, a prefix language model.

    Attributes:
      vocab_size: rows of the table of tokens; at least the vocabulary's size.
      decoder: its layers.
      head: on top of them.
      tokens: ids with a meaning to the model.
      init, dropout, compute: of all layers.
    """

    vocab_size: int
    decoder: Stack
    head: LMHead = LMHead()  # noqa: RUF009 (frozen)
    tokens: SpecialTokens = SpecialTokens()  # noqa: RUF009
    init: Init = NormalInit()  # noqa: RUF009
    dropout: Dropout = Dropout()  # noqa: RUF009
    compute: Compute = Compute()  # noqa: RUF009

    loss_side: ClassVar[str] = "decoder"
    shared_params: ClassVar[dict[str, str]] = {}

    def __post_init__(self):
        at_least_one(self, "vocab_size")
        if self.decoder.attends_to_encoder:
            raise UserError(
                "DecoderOnly.decoder has cross-attention (or merged_attention), but there is no "
                "encoder; use EncoderDecoder."
            )
        check_head(self.head, self.decoder, "the decoder")

    def build(self, key: jax.Array) -> "DecoderOnlyModel":
        return DecoderOnlyModel(self, key)


class DecoderOnlyModel(nnx.Module):
    """Parameters and computation of `DecoderOnly`; batches of the converters for decoders.

    `decoder_causal_attention` (SeqIO's name) or `decoder_prefix_mask` of a batch marks tokens that
    see each other in both directions.
    """

    def __init__(self, config: DecoderOnly, key: jax.Array):
        keys = jax.random.split(key, 3)
        shared = Shared(config.init, config.dropout, config.compute)
        self._config, self._dtype = config, shared.dtype
        self.token_embedder = token_table(config.decoder, config.vocab_size, shared, keys[0])
        self.decoder = TransformerStack(config.decoder, shared, causal=True, key=keys[1])
        self.lm_head = config.head.build(config.decoder.d_model, config.vocab_size, shared, keys[2])

    def hidden(self, batch: Batch, key: jax.Array | None = None) -> jax.Array:
        """What `logits` reads, `[batch, length, d_model]`, for `decoder_input_tokens`."""
        prefix = batch.get("decoder_causal_attention", batch.get("decoder_prefix_mask"))
        segments = batch.get("decoder_segment_ids")
        mask = AttentionMask(
            causal=True,
            key_segments=segments,
            query_segments=segments,
            prefix=None if prefix is None else prefix.astype(bool),
        )
        vectors = self.token_embedder(batch["decoder_input_tokens"], self._dtype)
        return self.decoder(vectors, places_of(batch, "decoder"), mask, key=key)

    def logits(self, hidden: jax.Array) -> jax.Array:
        """`[..., d_model]` -> float32 `[..., vocab_size]`."""
        table = self.token_embedder.embedding[...] if self._config.head.tied else None
        return self.lm_head(hidden, table)

    def __call__(self, batch: Batch, key: jax.Array | None = None) -> jax.Array:
        """Float32 logits `[batch, length, vocab_size]`."""
        return self.logits(self.hidden(batch, key))

    def init_cache(self, batch: int, max_length: int) -> Cache:
        """Empty keys and values of all layers."""
        return self.decoder.init_cache(batch, max_length)

    def decode_step(
        self, tokens: jax.Array, cache: Cache, position: jax.Array
    ) -> tuple[jax.Array, Cache]:
        """One step for tokens int `[batch]` at `position`, the same in every row.

        The cache is of one text per row, from position 0 on, which sees what came before and
        nothing after: for prefixes read in both directions, padding in front, packed rows and
        GLM's block positions, call the model on the whole batch.

        Returns:
          Float32 logits `[batch, vocab_size]`, and the cache with the step in it.
        """
        positions = jnp.broadcast_to(position, (1, 1))
        one = {"decoder_input_tokens": tokens[:, None], "decoder_positions": positions}
        mask = AttentionMask(causal=True, query_positions=positions)
        vectors = self.token_embedder(tokens[:, None], self._dtype)
        places = places_of(one, "decoder")
        hidden, cache = self.decoder.step(vectors, places, mask, cache, position)
        return self.logits(hidden)[:, 0], cache
