"""Trivial models to print beside the real one."""

import numpy as np

from t2t.data.evaluation_set import EvaluationSet


def unigram_loss(train: EvaluationSet, held_out: EvaluationSet, vocab_size: int) -> float | None:
    """Loss in nats per target token of a model that knows only how frequent each token is.

    Frequencies come from the targets of `train`, with one added to every count; the loss is over
    the targets of `held_out`, ends of sequence included, as for the real model; None if there are
    none.
    """
    counts = np.ones(vocab_size) + _target_counts(train, vocab_size)
    log_probabilities = np.log(counts / counts.sum())
    held_out_counts = _target_counts(held_out, vocab_size)
    if not held_out_counts.any():
        return None
    return float(-(held_out_counts @ log_probabilities) / held_out_counts.sum())


def _target_counts(examples: EvaluationSet, vocab_size: int) -> np.ndarray:
    counts = np.zeros(vocab_size)
    for batch in examples.batches(256):
        side = examples.converter.loss_side
        weights = batch[f"{side}_loss_weights"].ravel()
        tokens = batch[f"{side}_target_tokens"].ravel()
        counts += np.bincount(tokens, weights, minlength=vocab_size)
    return examples.share.gather(counts).sum(0)
