"""The encoder on its own: BERT, RoBERTa, ALBERT, ELECTRA."""

import dataclasses
from typing import ClassVar

import jax
from flax import nnx

from t2t.errors import UserError, did_you_mean
from t2t.models.architecture import Batch, check_head, places_of, segments_of, token_table
from t2t.models.config import Compute, Dropout, SpecialTokens, at_least_one
from t2t.models.heads import Head, LMHead
from t2t.models.initializers import Init, NormalInit
from t2t.models.layers import split_key
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
        names = [head.name for head in self.heads]
        if len(set(names)) < len(names):
            raise UserError(f"EncoderOnly.heads has two of a kind: {', '.join(names)}.")
        for head in self.heads:
            if isinstance(head, LMHead):
                check_head(head, self.encoder, "the encoder")

    @property
    def head(self) -> LMHead | None:
        """The masked language model's, if there is one."""
        return next((head for head in self.heads if isinstance(head, LMHead)), None)

    def build(self, key: jax.Array) -> "EncoderOnlyModel":
        return EncoderOnlyModel(self, key)


class EncoderOnlyModel(nnx.Module):
    """Parameters and computation of `EncoderOnly`; batches of `EncoderFeatureConverter`."""

    def __init__(self, config: EncoderOnly, key: jax.Array):
        keys = jax.random.split(key, 2 + len(config.heads))
        shared = Shared(config.init, config.dropout, config.compute)
        self._config, self._dtype = config, shared.dtype
        self.token_embedder = token_table(config.encoder, config.vocab_size, shared, keys[0])
        self.encoder = TransformerStack(config.encoder, shared, causal=False, key=keys[1])
        for head, head_key in zip(config.heads, keys[2:], strict=True):
            layer = head.build(config.encoder.d_model, config.vocab_size, shared, head_key)
            setattr(self, head.name, layer)

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

    def outputs(self, batch: Batch, name: str, key: jax.Array | None = None) -> jax.Array:
        """Float32 output of the head called `name`: logits, or pooled vectors."""
        encoder_key, head_key = split_key(key, 2)
        self._head_called(name)
        return self.head_outputs(self.hidden(batch, encoder_key), batch, name, head_key)

    def head_outputs(
        self, hidden: jax.Array, batch: Batch, name: str, key: jax.Array | None = None
    ) -> jax.Array:
        """As `outputs`, from what `hidden` gave for the batch."""
        head = self._head_called(name)
        if isinstance(head, LMHead):
            return self.logits(hidden)
        segments = segments_of(batch, "encoder", self._config.tokens)
        return getattr(self, name)(head.gather(hidden, segments), key)

    def _head_called(self, name: str) -> Head:
        head = next((head for head in self._config.heads if head.name == name), None)
        if head is None:
            known = [head.name for head in self._config.heads]
            raise UserError(
                f"This encoder has no '{name}'; its heads are: {', '.join(known) or 'none'}."
                + did_you_mean(name, known)
            )
        return head
