"""How many tokens a model reads, by the positions that it has vectors for."""

from collections.abc import Sequence

from t2t.errors import UserError
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import ModelConfig
from t2t.models.electra import Electra
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.models.positions import LearnedPositions, TwoDimensionalPositions
from t2t.models.stack import Stack


def position_limit(stack: Stack) -> int | None:
    """How many positions a stack has vectors for; None for any number."""
    positions = stack.positions
    if isinstance(positions, LearnedPositions | TwoDimensionalPositions):
        return positions.max_length
    return None


def row_limit(model: ModelConfig) -> int | None:
    """How long a row may be that every stack of a model reads; None for any number of tokens."""
    if isinstance(model, Electra):
        return _least([model.generator.encoder, model.discriminator.encoder])
    if isinstance(model, EncoderDecoder):
        return _least([model.encoder, model.decoder])
    return position_limit(model.decoder if isinstance(model, DecoderOnly) else model.encoder)


def encoder_limit(model: ModelConfig) -> int | None:
    """How many tokens the encoder of an encoder-decoder reads; None for any number."""
    assert isinstance(model, EncoderDecoder)
    source = model.source_encoder
    return _least([model.encoder, *([source.stack] if source else [])])


def _least(stacks: Sequence[Stack]) -> int | None:
    limits = [limit for stack in stacks if (limit := position_limit(stack)) is not None]
    return min(limits, default=None)


def prompt_limit(model: EncoderDecoder | DecoderOnly, max_length: int) -> int | None:
    """How long a decoder's prompt may be before `max_length` new tokens; None for any length.

    Raises:
      UserError: if there is no room for a start token.
    """
    positions = position_limit(model.decoder)
    if positions is None:
        return None
    if max_length > positions:
        raise UserError(
            f"max_length ({max_length} new tokens) is more than the decoder has positions: "
            f"{positions} (max_length of its {type(model.decoder.positions).__name__}). "
            f"Generate less: --max_decode_length={positions} or below."
        )
    return positions - max_length + 1  # the last token is not read again
