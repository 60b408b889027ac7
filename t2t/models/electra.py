"""ELECTRA's two encoders in one model: a generator and a discriminator.

Clark et al., "ELECTRA: Pre-training Text Encoders as Discriminators Rather Than Generators"
(arXiv 2003.10555), section 3.
"""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import jax
from flax import nnx

from t2t.errors import UserError
from t2t.models.architecture import Batch
from t2t.models.config import Compute, Dropout, SpecialTokens
from t2t.models.encoder_only import EncoderOnly
from t2t.models.heads import TokenClasses
from t2t.models.positions import LearnedPositions


@dataclasses.dataclass(frozen=True)
class Electra:
    """A masked language model, and an encoder that tells which tokens it has replaced.

    Attributes:
      generator: with an LMHead, a quarter to a half as wide as the discriminator (section 3.2).
      discriminator: with TokenClasses(1); what is kept after pretraining.
      share_embeddings: one table of tokens, positions and token types for both (section 3.2). It is
        stored with the discriminator.
    """

    generator: EncoderOnly
    discriminator: EncoderOnly
    share_embeddings: bool = True

    loss_side: ClassVar[str] = "encoder"
    head: ClassVar[None] = None

    def __post_init__(self):
        parts = (self.generator, self.discriminator)
        if self.generator.head is None:
            raise UserError(
                "Electra.generator fills in masked tokens, but it has no LMHead: "
                "generator/EncoderOnly.heads = (@LMHead(),)."
            )
        classes = [h for h in self.discriminator.heads if isinstance(h, TokenClasses)]
        if [head.num_classes for head in classes] != [1]:
            raise UserError(
                "Electra.discriminator tells of each token whether it was replaced, but has no "
                "head for that: discriminator/EncoderOnly.heads = (@TokenClasses(),) with "
                "TokenClasses.num_classes = 1."
            )
        for name in ("vocab_size", "tokens"):
            _check_alike(f"EncoderOnly.{name}", [getattr(part, name) for part in parts])
        if self.share_embeddings:
            hint = " Make them equal, or set Electra.share_embeddings = False."
            stacks = [part.encoder for part in parts]
            sizes = [stack.embedding_size for stack in stacks]
            _check_alike("Embedding.size (or else Stack.d_model)", sizes, hint)
            _check_alike("Stack.positions", [stack.positions for stack in stacks], hint)
            types = [stack.embedding.token_types for stack in stacks]
            _check_alike("Embedding.token_types", types, hint)

    @property
    def vocab_size(self) -> int:
        return self.discriminator.vocab_size

    @property
    def tokens(self) -> SpecialTokens:
        return self.discriminator.tokens

    @property
    def dropout(self) -> Dropout:
        """Of a part that has any, if one does."""
        return self.discriminator.dropout or self.generator.dropout

    @property
    def compute(self) -> Compute:
        return self.discriminator.compute

    @property
    def shared_params(self) -> dict[str, str]:
        """Path in the generator -> path of the same parameters in the discriminator."""
        if not self.share_embeddings:
            return {}
        stack, names = self.discriminator.encoder, ["token_embedder"]
        if isinstance(stack.positions, LearnedPositions):
            names.append("encoder/positions")
        if stack.embedding.token_types:
            names.append("encoder/embedding/token_types")
        return {f"generator/{name}": f"discriminator/{name}" for name in names}

    def build(self, key: jax.Array) -> "ElectraModel":
        return ElectraModel(self, key)


def _check_alike(setting: str, values: Sequence[object], hint: str = "") -> None:
    generator, discriminator = values
    if generator != discriminator:
        raise UserError(
            f"Electra's parts read the same tokens, but {setting} of the generator is {generator} "
            f"and of the discriminator {discriminator}.{hint}"
        )


class ElectraModel(nnx.Module):
    """Parameters of `Electra`; embeddings and outputs are the discriminator's."""

    def __init__(self, config: Electra, key: jax.Array):
        generator_key, discriminator_key = jax.random.split(key)
        self.generator = config.generator.build(generator_key)
        self.discriminator = config.discriminator.build(discriminator_key)

    def hidden(self, batch: Batch, key: jax.Array | None = None) -> jax.Array:
        """As `EncoderOnlyModel.hidden`."""
        return self.discriminator.hidden(batch, key)

    def outputs(self, batch: Batch, name: str, key: jax.Array | None = None) -> jax.Array:
        """As `EncoderOnlyModel.outputs`."""
        return self.discriminator.outputs(batch, name, key)
