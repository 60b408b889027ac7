"""The encoder on its own: BERT, RoBERTa, ALBERT, ELECTRA."""

import dataclasses
from typing import ClassVar

import jax

from t2t.errors import UserError
from t2t.models.architecture import Batch, check_head, places_of, segments_of, token_table
from t2t.models.config import Compute, Dropout, SpecialTokens, at_least_one
from t2t.models.headed import Headed, check_heads
from t2t.models.heads import Head, LMHead
from t2t.models.initializers import Init, NormalInit
from t2t.models.masks import AttentionMask
from t2t.models.shared import Shared
from t2t.models.stack import Stack
from t2t.models.transformer import TransformerStack


@dataclasses.dataclass(frozen=True)
class EncoderOnly:
    """A bidirectional encoder with heads for what is asked of it.

    Attributes:
      vocab_size: rows of the table of tokens; at least the vocabulary's size.
      encoder: its layers.
      heads: on top of them, each kind at most once; none for embeddings alone.
      tokens: ids with a meaning to the model.
      init, dropout, compute: of all layers.
    """

    vocab_size: int
    encoder: Stack
    heads: tuple[Head, ...] = ()
    tokens: SpecialTokens = SpecialTokens()  # noqa: RUF009 (frozen)
    init: Init = NormalInit()  # noqa: RUF009
    dropout: Dropout = Dropout()  # noqa: RUF009
    compute: Compute = Compute()  # noqa: RUF009

    loss_side: ClassVar[str] = "encoder"
    shared_params: ClassVar[dict[str, str]] = {}

    def __post_init__(self):
        at_least_one(self, "vocab_size")
        if self.encoder.attends_to_encoder:
            raise UserError("EncoderOnly.encoder has cross-attention, which is for decoders.")
        check_heads("EncoderOnly.heads", self.heads)
        for head in self.heads:
            if isinstance(head, LMHead):
                check_head(head, self.encoder, "the encoder")

    @property
    def head(self) -> LMHead | None:
        """The masked language model's, if there is one."""
        return next((head for head in self.heads if isinstance(head, LMHead)), None)

    def build(self, key: jax.Array) -> "EncoderOnlyModel":
        return EncoderOnlyModel(self, key)


class EncoderOnlyModel(Headed):
    """Parameters and computation of `EncoderOnly`; batches of `EncoderFeatureConverter`."""

    _read_side = "encoder"

    def __init__(self, config: EncoderOnly, key: jax.Array):
        keys = jax.random.split(key, 2 + len(config.heads))
        shared = Shared(config.init, config.dropout, config.compute)
        self._config, self._dtype = config, shared.dtype
        self.token_embedder = token_table(config.encoder, config.vocab_size, shared, keys[0])
        self.encoder = TransformerStack(config.encoder, shared, causal=False, key=keys[1])
        self.add_heads(config.encoder.d_model, config.vocab_size, shared, keys[2:])

    def hidden(self, batch: Batch, key: jax.Array | None = None) -> jax.Array:
        """An embedding per token, `[batch, length, d_model]`, for `encoder_input_tokens`."""
        mask = AttentionMask(
            key_segments=segments_of(batch, "encoder", self._config.tokens),
            query_segments=batch.get("encoder_segment_ids"),
        )
        vectors = self.token_embedder(batch["encoder_input_tokens"], self._dtype)
        return self.encoder(vectors, places_of(batch, "encoder"), mask, key=key)

    def logits(self, hidden: jax.Array) -> jax.Array:
        """`[..., d_model]` -> float32 `[..., vocab_size]` of the masked language model."""
        head = self._config.head
        if head is None:
            names = ", ".join(h.name for h in self._config.heads) or "none"
            raise UserError(f"This encoder has no LMHead; its heads are: {names}.")
        table = self.token_embedder.embedding[...] if head.tied else None
        return getattr(self, head.name)(hidden, table)

    def __call__(self, batch: Batch, key: jax.Array | None = None) -> jax.Array:
        """Float32 logits `[batch, length, vocab_size]` of the masked language model."""
        return self.logits(self.hidden(batch, key))
