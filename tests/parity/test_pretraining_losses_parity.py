"""Losses of pretraining equal those of transformers: sentence pairs, and ELECTRA's two models."""

import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("transformers", exc_type=ImportError)

import torch
from transformers import AlbertConfig, BertConfig, ElectraConfig

from t2t.models.definition import Model
from t2t.models.electra import Electra
from t2t.training.losses.electra import ElectraLoss
from t2t.training.losses.sentence_pairs import SentencePairLoss
from tests.parity.encoder_comparisons import encoder_case
from tests.parity.harness import imported, random_batch, saved

pytestmark = pytest.mark.parity

PAIRS = [
    encoder_case(BertConfig, "bert_pairs", "BertForPreTraining"),
    encoder_case(AlbertConfig, "albert_pairs", "AlbertForPreTraining", embedding_size=6),
]
GENERATOR = encoder_case(
    ElectraConfig,
    "electra_small_generator",
    "ElectraForMaskedLM",
    hidden_size=8,
    embedding_size=16,
)
DISCRIMINATOR = encoder_case(
    ElectraConfig, "electra_its_discriminator", "ElectraForPreTraining", embedding_size=16
)


def masked_batch(case):
    """Rows with every third token masked, for both libraries."""
    batch = random_batch(case)
    tokens, real = batch["encoder_input_tokens"], batch["encoder_loss_weights"] > 0
    masked = real & (np.arange(tokens.shape[1]) % 3 == 1)
    ours = batch | {
        "encoder_input_tokens": np.where(masked, np.int32(4), tokens),
        "encoder_target_tokens": tokens,
        "encoder_loss_weights": masked.astype(np.int32),
    }
    theirs = {
        "input_ids": ours["encoder_input_tokens"],
        "token_type_ids": batch["encoder_token_types"],
        "attention_mask": real,
        "labels": np.where(masked, tokens, -100),
    }
    return ours, theirs


def call(model, **arguments):
    with torch.no_grad():
        return model(**{name: torch.from_numpy(a).long() for name, a in arguments.items()})


def mean(loss, config, params, batch):
    """What a step of training minimises, and of which terms."""
    terms = loss.terms(Model(config), params, batch, None, None)
    means = {name: float(t.total / np.sum(t.weights)) for name, t in terms.items()}
    return sum(loss.coefficients.get(name, 1.0) * x for name, x in means.items()), means


@pytest.mark.parametrize("case", PAIRS, ids=str)
def test_sentence_pairs(case):
    config, params, _ = imported(case)
    ours, theirs = masked_batch(case)
    labels = np.arange(len(theirs["labels"])) % 2
    placed = np.zeros_like(ours["encoder_input_tokens"])
    placed[:, 0] = labels
    name = "next_sentence_label" if case.name == "bert_pairs" else "sentence_order_label"
    expected = call(saved(case)[0], **theirs, **{name: labels}).loss
    total, _ = mean(SentencePairLoss(), config, params, ours | {"encoder_sentence_label": placed})
    assert total == pytest.approx(float(expected), rel=1e-5)


def test_electra():
    ours, theirs = masked_batch(DISCRIMINATOR)
    generated = call(saved(GENERATOR)[0], **theirs)
    original = ours["encoder_target_tokens"]
    masked = ours["encoder_loss_weights"] > 0
    drawn = np.where(masked, generated.logits.argmax(-1).numpy(), original)
    replaced = drawn != original
    assert replaced.any()
    told = call(saved(DISCRIMINATOR)[0], **(theirs | {"input_ids": drawn, "labels": replaced}))
    parts = [imported(case) for case in (GENERATOR, DISCRIMINATOR)]
    config = Electra(*(part.config for part in parts), share_embeddings=False)
    params = dict(zip(("generator", "discriminator"), (p.params for p in parts), strict=True))
    total, means = mean(ElectraLoss(temperature=1e-5), config, params, ours)
    assert means["loss"] == pytest.approx(float(generated.loss), rel=1e-5)
    assert means["discriminator"] == pytest.approx(float(told.loss), rel=1e-5)
    assert total == pytest.approx(float(generated.loss) + 50 * float(told.loss), rel=1e-5)
