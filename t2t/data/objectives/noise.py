"""Noise masks and what replaces the noise, on int32 tokens `[batch, length]` of equal length.

Masks are boolean `[batch, length]`, True on tokens to corrupt.
"""

import numpy as np

from t2t.data.objectives.lengths import noise_counts
from t2t.data.randomness import random_bits


def random_spans_noise_mask(
    keys: np.ndarray, length: int, noise_density: float, mean_noise_span_length: float
) -> np.ndarray:
    """Random spans of noise, exactly as many tokens and spans in every row (T5, section 3.1.4).

    Rows alternate non-noise and noise spans, start with non-noise and end with noise; every
    partition into non-empty spans is equally likely.

    Args:
      keys: uint64 `[batch]`, one per row; the mask is a pure function of it.
      length: tokens per row.
      noise_density: share of tokens to corrupt.
      mean_noise_span_length: tokens per span, on average.

    Raises:
      ValueError: if there are fewer non-noise tokens than spans.
    """
    batch = len(keys)
    if length < 2:
        return np.zeros((batch, length), bool)
    noise, spans = noise_counts(length, noise_density, mean_noise_span_length)
    if length - noise < spans:
        raise ValueError(
            f"A sequence of {length} tokens with noise density {noise_density} has fewer "
            f"non-noise tokens ({length - noise}) than noise spans ({spans})."
        )
    bits = random_bits(keys, length)
    noise_lengths = _random_partition(bits[:, : noise - 1], noise, spans)
    other_lengths = _random_partition(bits[:, noise - 1 : length - 2], length - noise, spans)
    # Spans in order: other, noise, other, noise ...; a mask is the parity of the spans begun.
    starts = np.cumsum(np.stack([other_lengths, noise_lengths], 2).reshape(batch, -1), 1)[:, :-1]
    begins = np.zeros((batch, length), bool)
    np.put_along_axis(begins, starts, True, 1)
    return np.logical_xor.accumulate(begins, 1)


def _random_partition(bits: np.ndarray, total: int, parts: int) -> np.ndarray:
    """Cuts `total` into `parts` random positive lengths: `[batch, total-1]` -> `[batch, parts]`."""
    batch = len(bits)
    edges = np.zeros((batch, parts + 1), np.int64)
    edges[:, -1] = total
    if parts > 1:
        cuts = np.argpartition(bits, parts - 2, axis=1)[:, : parts - 1] + 1
        edges[:, 1:-1] = np.sort(cuts, axis=1)
    return np.diff(edges, axis=1)


def noise_span_to_unique_sentinel(
    tokens: np.ndarray, noise_mask: np.ndarray, vocab_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Replaces the k-th span of noise by sentinel `vocab_size - 1 - k`.

    Returns:
      int32 `[batch, length]`, kept tokens at the front and 0 behind them, and the int `[batch]`
      number kept.
    """
    continues = np.zeros_like(noise_mask)
    continues[:, 1:] = noise_mask[:, 1:] & noise_mask[:, :-1]
    first = noise_mask & ~continues
    sentinels = vocab_size - np.cumsum(first, axis=1, dtype=np.int32)
    return _compact(np.where(first, sentinels, tokens), ~continues)


def nonnoise_span_to_unique_sentinel(
    tokens: np.ndarray, noise_mask: np.ndarray, vocab_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """`noise_span_to_unique_sentinel` of the complement: what T5 uses as targets."""
    return noise_span_to_unique_sentinel(tokens, ~noise_mask, vocab_size)


def _compact(tokens: np.ndarray, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Moves the tokens to keep to the front of each row."""
    counts = keep.sum(axis=1)
    out = np.zeros(tokens.shape, np.int32)
    out[np.arange(tokens.shape[1]) < counts[:, None]] = tokens[keep]  # both in row-major order
    return out, counts
