"""What the three architectures have in common."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from t2t.errors import UserError
from t2t.models.config import SpecialTokens
from t2t.models.embedding import Places
from t2t.models.heads import LMHead
from t2t.models.layers import Table
from t2t.models.shared import Shared
from t2t.models.stack import Stack

Batch = Mapping[str, jax.Array]


def token_table(stack: Stack, vocab_size: int, shared: Shared, key: jax.Array) -> Table:
    """The embeddings of tokens that a stack reads, `[vocab_size, size]`."""
    init = shared.init.embedding
    return Table(vocab_size, stack.embedding_size, key=key, init=init, axis="vocab")


def segments_of(batch: Batch, side: str, tokens: SpecialTokens) -> jax.Array:
    """int `[batch, length]`, 0 at padding: given by the batch or, unpacked, told by the pad id."""
    given = batch.get(f"{side}_segment_ids")
    if given is not None:
        return given
    inputs = batch[f"{side}_input_tokens"]
    if tokens.pad is None:
        return jnp.ones_like(inputs)
    return (inputs != tokens.pad).astype(jnp.int32)


def places_of(batch: Batch, side: str, start: jax.Array | None = None) -> Places:
    """Positions, given by the batch or counted from 0 (or from `start`, int `[batch, length]`)."""
    positions = batch.get(f"{side}_positions")
    if positions is None:
        positions = jnp.arange(batch[f"{side}_input_tokens"].shape[1])[None]
    return Places(
        positions if start is None else positions + start,
        batch.get(f"{side}_block_positions"),
        batch.get(f"{side}_token_types"),
    )


def prompt_places(batch: Batch, segments: jax.Array, start: jax.Array | None = None) -> Places:
    """As `places_of` a decoder's prompt, int `segments` `[rows, prompt]`: 0 at padding in front."""
    counted = jnp.maximum(jnp.cumsum(segments, axis=1) - 1, 0)
    return places_of({"decoder_positions": counted, **batch}, "decoder", start)


def check_head(head: LMHead, stack: Stack, where: str) -> None:
    """Raises UserError if a tied head reads another width than the table of tokens has."""
    size = head.transform.size if head.transform and head.transform.size else stack.d_model
    if head.tied and size != stack.embedding_size:
        raise UserError(
            f"LMHead.tied projects with the table of tokens, whose vectors have size "
            f"{stack.embedding_size} (Embedding.size), but {where} gives the head vectors of "
            f"{size} (Stack.d_model, or HeadTransform.size); make them equal, or set "
            f"LMHead.tied = False."
        )
