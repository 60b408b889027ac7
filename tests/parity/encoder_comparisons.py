"""Small encoders of transformers, and how they are compared."""

from typing import Any

import numpy as np
import pytest
import torch

from t2t.models.definition import Model
from t2t.models.heads import Spans
from tests.parity.comparisons import TOLERANCE, ParityTests
from tests.parity.harness import Case, imported, random_batch, saved

SHAPE = {
    "vocab_size": 44,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 20,
}


def encoder_case(config_class: Any, name: str, model_class: str, **settings: Any) -> Case:
    """A case; `head` and `prepare` are its own settings. Those of sequences are not packed."""
    of_case = {key: settings.pop(key) for key in ("head", "prepare") if key in settings}
    config = config_class(**{**SHAPE, **settings})
    of_sequences = of_case.get("head") == "sequence_head" or model_class.endswith(
        ("ForSequenceClassification", "Model")
    )
    return Case(
        name,
        config,
        model_class,
        token_types=config.type_vocab_size,
        packing=not of_sequences,
        **of_case,
    )


class EncoderParityTests(ParityTests):
    """The loss is that of transformers itself, of all heads together."""

    def test_loss(self, case):
        config, params, _ = imported(case)
        model, batch = saved(case)[0], random_batch(case)
        if config.heads == (Spans(),):  # theirs counts padding, whose logits may differ
            batch = {name: array[:1] for name, array in batch.items()}
        module = Model(config).bind(params)
        real = batch["encoder_loss_weights"]
        arguments, loss = {}, 0.0
        for head in config.heads:
            if getattr(head, "num_classes", 0) is None:
                pytest.skip("no loss")
            logits = np.asarray(module.outputs(batch, head.name))
            labels, more = given_labels(head.name, len(config.heads) > 1, logits, real)
            loss += more
            arguments.update(labels)
        if not config.heads:
            pytest.skip("no loss")
        inputs = {
            "input_ids": batch["encoder_input_tokens"],
            "token_type_ids": batch["encoder_token_types"],
            "attention_mask": real,
            **arguments,
        }
        with torch.no_grad():
            output = model(**{name: torch.from_numpy(a).long() for name, a in inputs.items()})
        assert loss == pytest.approx(float(output.loss), rel=TOLERANCE)


def given_labels(
    name: str, pretraining: bool, logits: np.ndarray, real: np.ndarray
) -> tuple[dict[str, np.ndarray], float]:
    """Labels for the head `name`, as transformers takes them, and the loss of `logits`."""
    rng = np.random.default_rng(3)
    if name == "span_head":
        labels = {"start_positions": np.array([4]), "end_positions": np.array([7])}
        losses = [cross_entropy(logits[..., i], p) for i, p in enumerate(labels.values())]
        return labels, sum(losses) / 2
    if name == "sequence_head":
        label = np.array([1, 0])
        names = ("next_sentence_label", "sentence_order_label") if pretraining else ("labels",)
        return dict.fromkeys(names, label), cross_entropy(logits, label)
    labels = rng.integers(0, max(logits.shape[-1], 2), real.shape)
    there = np.nonzero(real)
    if logits.shape[-1] == 1:  # two classes, the other one's logit being 0
        logits = np.concatenate([np.zeros_like(logits), logits], axis=-1)
    loss = cross_entropy(logits[there], labels[there])
    return {"labels": np.where(real, labels, -100)}, loss


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean over rows: logits `[rows, classes]`, labels `[rows]`."""
    logits = logits - logits.max(-1, keepdims=True)
    log_probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return float(-log_probabilities[np.arange(len(labels)), labels].mean())
