"""The decoder on its own: GPT, LLaMA, and GLM, whose prefix is read in both directions."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from t2t.errors import UserError
from t2t.models.architecture import Batch, check_head, places_of, prompt_places, token_table
from t2t.models.config import Compute, Dropout, SpecialTokens, at_least_one
from t2t.models.decode_state import DecodeState
from t2t.models.headed import Headed, check_heads
from t2t.models.heads import ClassifierHead, LMHead
from t2t.models.initializers import Init, NormalInit
from t2t.models.masks import AttentionMask
from t2t.models.shared import Shared
from t2t.models.stack import Stack
from t2t.models.transformer import TransformerStack


@dataclasses.dataclass(frozen=True)
class DecoderOnly:
    """A causal language model, or one that reads its prompt in both directions.

    Attributes:
      vocab_size: rows of the table of tokens; at least the vocabulary's size.
      decoder: its layers.
      head: on top of them.
      prefix_lm: a task's inputs see each other in both directions (T5, section 3.2.1: "prefix LM").
      heads: for other things than the next token, each kind at most once.
      tokens: ids with a meaning to the model.
      init, dropout, compute: of all layers.
    """

    vocab_size: int
    decoder: Stack
    head: LMHead = LMHead()  # noqa: RUF009 (frozen)
    prefix_lm: bool = False
    heads: tuple[ClassifierHead, ...] = ()
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
        check_heads("DecoderOnly.heads", self.heads)

    def build(self, key: jax.Array) -> "DecoderOnlyModel":
        return DecoderOnlyModel(self, key)


class DecoderOnlyModel(Headed):
    """Parameters and computation of `DecoderOnly`; batches of the converters for decoders.

    Tokens that `decoder_prefix_mask` marks see each other in both directions (GLM) and, in a
    prefix language model, those of `decoder_causal_attention`, SeqIO's name for a task's inputs.
    """

    _read_side = "decoder"

    def __init__(self, config: DecoderOnly, key: jax.Array):
        keys = jax.random.split(key, 3 + len(config.heads))
        shared = Shared(config.init, config.dropout, config.compute)
        self._config, self._dtype = config, shared.dtype
        self.token_embedder = token_table(config.decoder, config.vocab_size, shared, keys[0])
        self.decoder = TransformerStack(config.decoder, shared, causal=True, key=keys[1])
        self.lm_head = config.head.build(config.decoder.d_model, config.vocab_size, shared, keys[2])
        self.add_heads(config.decoder.d_model, config.vocab_size, shared, keys[3:])

    def hidden(self, batch: Batch, key: jax.Array | None = None) -> jax.Array:
        """What `logits` reads, `[batch, length, d_model]`, for `decoder_input_tokens`."""
        vectors = self.token_embedder(batch["decoder_input_tokens"], self._dtype)
        return self.decoder(vectors, places_of(batch, "decoder"), self._mask(batch), key=key)

    def logits(self, hidden: jax.Array) -> jax.Array:
        """`[..., d_model]` -> float32 `[..., vocab_size]`."""
        table = self.token_embedder.embedding[...] if self._config.head.tied else None
        return self.lm_head(hidden, table)

    def __call__(self, batch: Batch, key: jax.Array | None = None) -> jax.Array:
        """Float32 logits `[batch, length, vocab_size]`."""
        return self.logits(self.hidden(batch, key))

    def start(self, batch: Batch, max_length: int) -> tuple[jax.Array, DecodeState]:
        """Reads the prompt, to generate up to `max_length` tokens after it.

        Args:
          batch: `decoder_input_tokens` `[rows, prompt]`; if they are of unequal lengths they have
            padding in front, where `decoder_segment_ids` are 0.

        Returns:
          Float32 logits `[rows, vocab_size]` of the first new token, and the state to go on from.
        """
        tokens = batch["decoder_input_tokens"]
        segments = batch.get("decoder_segment_ids", jnp.ones_like(tokens))
        mask = self._mask({**batch, "decoder_segment_ids": segments})
        places = prompt_places(batch, segments)
        vectors = self.token_embedder(tokens, self._dtype)
        hidden, projected = self.decoder.prefill(vectors, places, mask, None)
        layers = self.decoder.separate_layers()
        state = DecodeState.after_prompt(layers, projected, None, segments, places, max_length)
        return self.logits(hidden[:, -1]), state

    def decode_step(self, tokens: jax.Array, state: DecodeState) -> tuple[jax.Array, DecodeState]:
        """Reads one more token of each row, int `[rows]`; it sees all before, and none sees it.

        Returns:
          Float32 logits `[rows, vocab_size]` of the next one, and the state to go on from.
        """
        vectors = self.token_embedder(tokens[:, None], self._dtype)
        hidden, projected = self.decoder.step(vectors, state)
        return self.logits(hidden[:, 0]), state.advanced(projected)

    def _mask(self, batch: Batch) -> AttentionMask:
        segments = batch.get("decoder_segment_ids")
        prefix = batch.get("decoder_prefix_mask")
        if prefix is None and self._config.prefix_lm:
            prefix = batch.get("decoder_causal_attention")
        return AttentionMask(
            causal=True,
            key_segments=segments,
            query_segments=segments,
            prefix=None if prefix is None else prefix.astype(bool),
        )
