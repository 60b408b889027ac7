"""The decoder on its own: GPT, LLaMA, and GLM, whose prefix is read in both directions."""

import dataclasses
from typing import ClassVar

import jax

from t2t.errors import UserError
from t2t.models.architecture import Batch, check_head, places_of, token_table
from t2t.models.config import Compute, Dropout, SpecialTokens, at_least_one
from t2t.models.decode_state import DecodeState
from t2t.models.headed import check_heads
from t2t.models.heads import ClassifierHead, LMHead
from t2t.models.initializers import Init, NormalInit
from t2t.models.language_model import LanguageModel, prompt_segments
from t2t.models.layers import Table
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


class DecoderOnlyModel(LanguageModel):
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

    @property
    def decoder_table(self) -> Table:
        return self.token_embedder

    def start(self, batch: Batch, max_length: int) -> tuple[jax.Array, DecodeState]:
        mask = self._mask({**batch, "decoder_segment_ids": prompt_segments(batch)})
        return self._read_prompt(batch, mask, max_length)

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
