"""A training job in numbers, for estimates."""

from collections.abc import Iterator

import jax

from t2t.models.attention import Attention
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import ModelConfig
from t2t.models.electra import Electra
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.models.stack import Stack
from t2t.planning.estimates import COMPUTE_BYTES, RECOMPUTED, JobSizes
from t2t.planning.job import TrainingJob
from t2t.training.flops import train_flops
from t2t.training.state import abstract_state


def sizes_of(job: TrainingJob) -> JobSizes:
    """Counts parameters, state, operations and activations; compiles nothing."""
    state = abstract_state(job.model, job.optimizer)
    arrays = jax.tree.leaves(state)
    config, lengths = job.model.config, job.lengths
    kept = {
        remat: COMPUTE_BYTES * sum(_kept(remat, *part) for part in _stacks(config, *lengths))
        for remat in RECOMPUTED
    }
    return JobSizes(
        parameters=sum(array.size for array in jax.tree.leaves(state.params)),
        state_bytes=sum(array.size * array.dtype.itemsize for array in arrays),
        row_flops=train_flops(config, *lengths, 1, job.loss.predicts_tokens),
        row_kept_bytes=kept,
    )


def tensor_sizes(config: ModelConfig) -> list[int]:
    """Powers of two up to 16 by which the heads of all stacks divide."""
    stacks = [stack for stack, _, _ in _stacks(config, 1, 1)]
    attentions = [a for s in stacks for a in (s.attention, s.cross_attention) if a]
    heads = [attention.num_heads for attention in attentions]
    return [ways for ways in (1, 2, 4, 8, 16) if all(number % ways == 0 for number in heads)]


def _stacks(config: ModelConfig, inputs: int, targets: int) -> Iterator[tuple[Stack, int, int]]:
    """Each stack, its positions, and those of what it attends to beside its own."""
    if isinstance(config, Electra):
        yield from _stacks(config.generator, inputs, targets)
        yield from _stacks(config.discriminator, inputs, targets)
    elif isinstance(config, EncoderDecoder):
        if config.source_encoder:
            yield config.source_encoder.stack, inputs, 0
        yield config.encoder, inputs, 0
        yield config.decoder, targets or inputs, inputs
    elif isinstance(config, DecoderOnly):
        yield config.decoder, inputs + targets, 0
    else:
        yield config.encoder, inputs, 0


def _kept(remat: str, stack: Stack, length: int, memory: int) -> int:
    """Numbers that are kept of one row in all layers.

    What enters a layer, always; results of matrix products with parameters, unless the policy is
    "full"; with "none" also the weights of attention.
    """
    total = length * stack.d_model
    attention, cross = stack.attention, stack.cross_attention
    if remat != "full":
        total += length * len(stack.feed_forward.activations) * stack.feed_forward.d_ff
        total += _projected(attention, length, length) + length * stack.d_model
        if cross:
            total += _projected(cross, length, memory) + length * stack.d_model
    if remat == "none":
        total += attention.num_heads * length * length
        total += cross.num_heads * length * memory if cross else 0
    return stack.num_layers * total


def _projected(attention: Attention, queries: int, keys: int) -> int:
    return (queries * attention.num_heads + 2 * keys * attention.kv_heads) * attention.head_dim
