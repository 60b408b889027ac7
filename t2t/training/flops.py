"""Floating-point operations of a model, counted by hand: what MFU is a share of.

Convention, that of the published figures in docs/performance.md: matrix products only, two
operations per multiply-add; attention over the full square of positions, also in the causal
decoder; the embedding look-up is free, the projection to logits is not; a training step is three
forward passes, one forward and two backward. What rematerialisation computes again is not counted,
so a rate over these is MFU, not HFU.
"""

from t2t.models.config import T5Config


def forward_flops(config: T5Config, inputs_length: int, targets_length: int) -> int:
    """Operations of one forward pass over one sequence pair, all positions counted.

    Args:
      config: the architecture.
      inputs_length: tokens that the encoder reads.
      targets_length: tokens that the decoder reads and predicts.
    """
    encoder_layer = (
        _projections(config, inputs_length, inputs_length)
        + _attention(config, inputs_length, inputs_length)
        + _feed_forward(config, inputs_length)
    )
    decoder_layer = (
        _projections(config, targets_length, targets_length)
        + _attention(config, targets_length, targets_length)
        + _projections(config, targets_length, inputs_length)
        + _attention(config, targets_length, inputs_length)
        + _feed_forward(config, targets_length)
    )
    logits = 2 * targets_length * config.d_model * config.vocab_size
    return (
        config.num_encoder_layers * encoder_layer
        + config.num_decoder_layers * decoder_layer
        + logits
    )


def train_flops(
    config: T5Config, inputs_length: int, targets_length: int, batch_size: int = 1
) -> int:
    """Operations of one training step over `batch_size` sequence pairs: three forward passes."""
    return 3 * batch_size * forward_flops(config, inputs_length, targets_length)


def _projections(config: T5Config, query_length: int, key_length: int) -> int:
    """Query and output for one length, key and value for the other."""
    kernel = config.d_model * config.num_heads * config.head_dim
    return 2 * kernel * (2 * query_length + 2 * key_length)


def _attention(config: T5Config, query_length: int, key_length: int) -> int:
    """Queries times keys, and weights times values."""
    return 2 * 2 * query_length * key_length * config.num_heads * config.head_dim


def _feed_forward(config: T5Config, length: int) -> int:
    kernels = len(config.mlp_activations) + 1
    return 2 * length * config.d_model * config.d_ff * kernels
