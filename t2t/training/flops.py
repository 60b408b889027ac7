"""Floating-point operations of a model, counted by hand: what MFU is a share of.

Convention, that of the published figures in docs/performance.md: matrix products only, two
operations per multiply-add; attention over the full square of positions, also in causal decoders
and local layers; the embedding look-up is free, the projection to logits is not: all positions of
a decoder, a fifth of an encoder's (losses/predicted_positions.py); classifiers are left out; a
training step is three forward passes, one forward and two backward. What rematerialisation computes
again is not counted, so a rate over these is MFU, not HFU.
"""

from t2t.models.attention import Attention
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import ModelConfig
from t2t.models.electra import Electra
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.models.heads import LMHead
from t2t.models.stack import Stack
from t2t.training.losses.predicted_positions import room


def forward_flops(
    config: ModelConfig, inputs_length: int, targets_length: int, predicts_tokens: bool = True
) -> int:
    """Operations of one forward pass over one example, all positions counted.

    Args:
      config: the architecture.
      inputs_length: tokens that the encoder reads; of a decoder alone, tokens before the targets.
      targets_length: tokens that the decoder predicts; an encoder alone has none.
      predicts_tokens: whether there are logits over the vocabulary. Without, it is a classifier,
        whose decoder, if there is one, reads what the encoder does.
    """
    if isinstance(config, Electra):
        parts = (config.generator, config.discriminator)
        return sum(forward_flops(part, inputs_length, targets_length) for part in parts)
    vocab, head = config.vocab_size, config.head if predicts_tokens else None
    if isinstance(config, EncoderDecoder):
        targets_length = targets_length if predicts_tokens else inputs_length
        memory = (inputs_length, config.encoder.d_model)
        source = config.source_encoder
        return (
            (stack_flops(source.stack, inputs_length) if source else 0)
            + stack_flops(config.encoder, inputs_length)
            + stack_flops(config.decoder, targets_length, memory)
            + head_flops(head, config.decoder.d_model, vocab, targets_length)
        )
    if isinstance(config, DecoderOnly):
        length, stack = inputs_length + targets_length, config.decoder
        return stack_flops(stack, length) + head_flops(head, stack.d_model, vocab, length)
    stack, projected = config.encoder, room(inputs_length)
    return stack_flops(stack, inputs_length) + head_flops(head, stack.d_model, vocab, projected)


def train_flops(
    config: ModelConfig,
    inputs_length: int,
    targets_length: int,
    batch_size: int = 1,
    predicts_tokens: bool = True,
) -> int:
    """Operations of one training step over `batch_size` examples: three forward passes."""
    forward = forward_flops(config, inputs_length, targets_length, predicts_tokens)
    return 3 * batch_size * forward


def stack_flops(stack: Stack, length: int, memory: tuple[int, int] | None = None) -> int:
    """One pass of `length` positions; `memory` is the encoder's length and width."""
    width = stack.d_model
    layer = 2 * length * width * stack.feed_forward.d_ff * (len(stack.feed_forward.activations) + 1)
    layer += _projections(stack.attention, length, width, length, width)
    keys = length
    if memory and stack.merged_attention:
        layer += 2 * memory[0] * memory[1] * 2 * stack.attention.kv_heads * stack.attention.head_dim
        keys += memory[0]
    layer += _attention(stack.attention, length, keys)
    if memory and stack.cross_attention:
        layer += _projections(stack.cross_attention, length, width, *memory)
        layer += _attention(stack.cross_attention, length, memory[0])
    projected = 2 * length * stack.embedding.size * width if stack.embedding.size else 0
    return stack.num_layers * layer + projected


def head_flops(head: LMHead | None, d_model: int, vocab_size: int, length: int) -> int:
    """Logits of `length` positions."""
    if head is None:
        return 0
    size, transform = d_model, 0
    if head.transform:
        size = head.transform.size or d_model
        transform = 2 * length * d_model * size
    return transform + 2 * length * size * vocab_size


def _projections(
    attention: Attention, queries: int, width: int, keys: int, memory_width: int
) -> int:
    """Query and output for one length, key and value for the other."""
    inner, kv_inner = attention.num_heads, attention.kv_heads
    per_head = 2 * queries * width * 2 * inner + 2 * keys * memory_width * 2 * kv_inner
    return per_head * attention.head_dim


def _attention(attention: Attention, queries: int, keys: int) -> int:
    """Queries times keys, and weights times values."""
    return 2 * 2 * queries * keys * attention.num_heads * attention.head_dim
