"""The encoder-decoder: T5, BART, T5Gemma."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from t2t.errors import UserError
from t2t.models.architecture import (
    Batch,
    check_head,
    places_of,
    segments_of,
    token_table,
)
from t2t.models.config import Compute, Dropout, SpecialTokens, at_least_one
from t2t.models.decode_state import DecodeState
from t2t.models.headed import check_heads
from t2t.models.heads import ClassifierHead, LMHead
from t2t.models.initializers import FanInInit, Init
from t2t.models.language_model import LanguageModel, prompt_segments
from t2t.models.layer import Memory
from t2t.models.layers import Table, split_key
from t2t.models.masks import AttentionMask
from t2t.models.positions import RoPE
from t2t.models.shared import Shared
from t2t.models.stack import Stack
from t2t.models.transformer import TransformerStack


@dataclasses.dataclass(frozen=True)
class SourceEncoder:
    """An encoder in front of the encoder, in place of its table of tokens.

    With one, a model pre-trained on one language learns to translate into it (BART,
    https://arxiv.org/abs/1910.13461, section 3.4).

    Attributes:
      vocab_size: rows of its table of tokens, which may be of another vocabulary.
      stack: as wide as the token vectors that the encoder reads.
    """

    vocab_size: int
    stack: Stack


@dataclasses.dataclass(frozen=True)
class EncoderDecoder:
    """A bidirectional encoder, and a causal decoder that attends to its output.

    Attributes:
      vocab_size: rows of the table of tokens; at least the vocabulary's size.
      encoder, decoder: of any depths and widths.
      head: on top of the decoder.
      share_embeddings: one table of tokens for both; a source encoder has its own.
      share_stacks: self-attention, feed-forward layers and their norms of the decoder are those of
        the encoder (T5, section 3.2.2: "shared").
      continuing_positions: the decoder's positions go on where the encoder's end, and
        cross-attention is rotated, too (RedLLM, https://arxiv.org/abs/2510.26622).
      source_encoder: what reads the inputs, if not the encoder itself.
      heads: for other things than the next token, each kind at most once; in their batches the
        decoder has the encoder's tokens, shifted right (BART, section 3).
      tokens: ids with a meaning to the model.
      init: that of T5 by default; BART and T5Gemma have `NormalInit`.
      dropout, compute: of all layers.
    """

    vocab_size: int
    encoder: Stack
    decoder: Stack
    head: LMHead = LMHead()  # noqa: RUF009 (frozen)
    share_embeddings: bool = True
    share_stacks: bool = False
    continuing_positions: bool = False
    source_encoder: SourceEncoder | None = None
    heads: tuple[ClassifierHead, ...] = ()
    tokens: SpecialTokens = SpecialTokens()  # noqa: RUF009
    init: Init = FanInInit()  # noqa: RUF009
    dropout: Dropout = Dropout()  # noqa: RUF009
    compute: Compute = Compute()  # noqa: RUF009

    loss_side: ClassVar[str] = "decoder"

    def __post_init__(self):
        at_least_one(self, "vocab_size")
        if not self.decoder.attends_to_encoder:
            raise UserError(
                "EncoderDecoder.decoder does not attend to the encoder: set "
                "Stack.cross_attention, or Stack.merged_attention, of the decoder."
            )
        if self.encoder.attends_to_encoder:
            raise UserError("EncoderDecoder.encoder has cross-attention, which is for decoders.")
        sizes = self.encoder.embedding_size, self.decoder.embedding_size
        if self.share_embeddings and sizes[0] != sizes[1]:
            raise UserError(
                f"EncoderDecoder.share_embeddings needs token vectors of one size, but the "
                f"encoder's Stack.d_model (or Embedding.size) is {sizes[0]} and the decoder's "
                f"{sizes[1]}."
            )
        if self.decoder.merged_attention and self.encoder.d_model != self.decoder.d_model:
            raise UserError(
                f"Stack.merged_attention projects both sides with one kernel, but the encoder's "
                f"Stack.d_model is {self.encoder.d_model} and the decoder's {self.decoder.d_model}."
            )
        if self.continuing_positions:
            self._check_continuing()
        source = self.source_encoder
        if source and source.stack.d_model != self.encoder.embedding_size:
            raise UserError(
                f"SourceEncoder.stack.d_model is {source.stack.d_model}, but its output is read "
                f"like token vectors of the encoder, of size {self.encoder.embedding_size}."
            )
        check_head(self.head, self.decoder, "the decoder")
        check_heads("EncoderDecoder.heads", self.heads)
        if self.share_stacks:
            self._check_shareable()

    def _check_continuing(self) -> None:
        own, cross = self.decoder.attention, self.decoder.cross_attention
        if not isinstance(self.decoder.positions, RoPE) or cross is None:
            raise UserError(
                "EncoderDecoder.continuing_positions rotates cross-attention, so the decoder needs "
                "Stack.positions = RoPE() and Stack.cross_attention."
            )
        if cross.head_dim != own.head_dim:
            raise UserError(
                f"EncoderDecoder.continuing_positions rotates cross-attention as self-attention, "
                f"but Attention.head_dim of the decoder's Stack.cross_attention is "
                f"{cross.head_dim} and of its Stack.attention {own.head_dim}."
            )

    def _check_shareable(self) -> None:
        for name in (
            "num_layers",
            "d_model",
            "num_groups",
            "attention",
            "feed_forward",
            "norm",
            "placement",
        ):
            ours, theirs = getattr(self.encoder, name), getattr(self.decoder, name)
            if ours != theirs:
                raise UserError(
                    f"EncoderDecoder.share_stacks needs stacks alike, but Stack.{name} of the "
                    f"encoder is {ours} and of the decoder {theirs}."
                )

    @property
    def shared_params(self) -> dict[str, str]:
        """Path in the decoder -> path of the same parameters in the encoder."""
        if not self.share_stacks:
            return {}
        norms = self.encoder.placement.norms
        names = [
            name
            for branch in self.encoder.branches
            for name in (branch, *(f"{branch}_{suffix}" for suffix in norms))
        ]
        return {f"decoder/layers/{name}": f"encoder/layers/{name}" for name in names}

    def build(self, key: jax.Array) -> "EncoderDecoderModel":
        return EncoderDecoderModel(self, key)


class EncoderDecoderModel(LanguageModel):
    """Parameters and computation of `EncoderDecoder`.

    Methods are pure: dropout needs a key, None turns it off. Batches are those of
    `EncDecFeatureConverter`.
    """

    _read_side = "encoder"  # of a head's batches; what the decoder has is shifted

    def __init__(self, config: EncoderDecoder, key: jax.Array):
        keys = jax.random.split(key, 7 + len(config.heads))
        shared = Shared(config.init, config.dropout, config.compute)
        self._config, self._dtype = config, shared.dtype
        if config.share_embeddings:
            self.token_embedder = token_table(config.encoder, config.vocab_size, shared, keys[0])
        else:
            if not config.source_encoder:
                self.encoder_token_embedder = token_table(
                    config.encoder, config.vocab_size, shared, keys[0]
                )
            self.decoder_token_embedder = token_table(
                config.decoder, config.vocab_size, shared, keys[1]
            )
        if config.source_encoder:
            stack, vocab_size = config.source_encoder.stack, config.source_encoder.vocab_size
            self.source_token_embedder = token_table(stack, vocab_size, shared, keys[5])
            self.source_encoder = TransformerStack(stack, shared, causal=False, key=keys[6])
        self.encoder = TransformerStack(config.encoder, shared, causal=False, key=keys[2])
        self.decoder = TransformerStack(
            config.decoder, shared, causal=True, key=keys[3], memory_width=config.encoder.d_model
        )
        self.lm_head = config.head.build(config.decoder.d_model, config.vocab_size, shared, keys[4])
        self.add_heads(config.decoder.d_model, config.vocab_size, shared, keys[7:])

    def encode(self, batch: Batch, key: jax.Array | None = None) -> jax.Array:
        """The encoder's output `[batch, length, d_model]` for `encoder_input_tokens`."""
        tokens = batch["encoder_input_tokens"]
        mask = AttentionMask(
            key_segments=segments_of(batch, "encoder", self._config.tokens),
            query_segments=batch.get("encoder_segment_ids"),
        )
        places = places_of(batch, "encoder")
        if self._config.source_encoder:
            key, source_key = split_key(key, 2)
            vectors = self.source_token_embedder(tokens, self._dtype)
            vectors = self.source_encoder(vectors, places, mask, key=source_key)
        else:
            vectors = self._table("encoder")(tokens, self._dtype)
        return self.encoder(vectors, places, mask, key=key)

    def decode(self, encoded: jax.Array, batch: Batch, key: jax.Array | None = None) -> jax.Array:
        """The decoder's output `[batch, length, d_model]` for `decoder_input_tokens`."""
        tokens = batch["decoder_input_tokens"]
        segments, pad = batch.get("decoder_segment_ids"), self._config.tokens.pad
        dense = self._config.compute.attention == "xla"  # others are faster with the causal flag
        if dense and segments is None and "decoder_target_tokens" in batch and pad is not None:
            # As T5X does, so that even what stands at padding equals it.
            segments = (batch["decoder_target_tokens"] != pad).astype(jnp.int32)
        mask = AttentionMask(causal=True, key_segments=segments, query_segments=segments)
        start = self._start(batch, segments) if self._config.continuing_positions else None
        return self.decoder(
            self._table("decoder")(tokens, self._dtype),
            places_of(batch, "decoder", start),
            mask,
            self._memory(encoded, batch, segments),
            key,
        )

    def hidden(self, batch: Batch, key: jax.Array | None = None) -> jax.Array:
        """What `logits` reads, `[batch, targets length, d_model]`."""
        encoder_key, decoder_key = split_key(key, 2)
        return self.decode(self.encode(batch, encoder_key), batch, decoder_key)

    @property
    def decoder_table(self) -> Table:
        return self._table("decoder")

    def start(self, batch: Batch, max_length: int) -> tuple[jax.Array, DecodeState]:
        """As `LanguageModel.start`; also encodes `encoder_input_tokens`.

        `decoder_input_tokens` begin with the start id.
        """
        segments = prompt_segments(batch)
        mask = AttentionMask(causal=True, key_segments=segments, query_segments=segments)
        memory = self._memory(self.encode(batch), batch, None)
        start = self._start(batch, None) if self._config.continuing_positions else None
        return self._read_prompt(batch, mask, max_length, memory, start)

    def _table(self, side: str) -> Table:
        side = "" if self._config.share_embeddings else f"{side}_"
        return getattr(self, f"{side}token_embedder")

    def _memory(self, encoded: jax.Array, batch: Batch, segments: jax.Array | None) -> Memory:
        keys = segments_of(batch, "encoder", self._config.tokens)
        mask = AttentionMask(key_segments=keys, query_segments=segments)
        if not self._config.continuing_positions:
            return Memory(encoded, mask)
        return Memory(encoded, mask, places_of(batch, "encoder").positions)

    def _start(self, batch: Batch, segments: jax.Array | None) -> jax.Array:
        """int `[batch, length or 1]`: how many tokens the encoder read of each one's segment."""
        keys = segments_of(batch, "encoder", self._config.tokens)
        if segments is None:
            return jnp.sum(keys > 0, axis=1, keepdims=True)
        return jnp.sum(segments[:, :, None] == keys[:, None, :], axis=2)
