"""ELECTRA equals that of transformers, in float32."""

import functools

import pytest

pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("transformers", exc_type=ImportError)

from transformers import ElectraConfig

from tests.parity.encoder_comparisons import EncoderParityTests, encoder_case

pytestmark = pytest.mark.parity

electra = functools.partial(encoder_case, ElectraConfig, embedding_size=6)
DISCRIMINATOR = electra("electra_discriminator", "ElectraForPreTraining", hidden_act="gelu_new")
CASES = [
    electra("electra_generator", "ElectraForMaskedLM", hidden_act="relu"),  # the head's stays gelu
    DISCRIMINATOR,
    electra("electra_untied", "ElectraForMaskedLM", tie_word_embeddings=False, pad_token_id=2),
    electra("electra_wide", "ElectraForPreTraining", embedding_size=16, layer_norm_eps=1e-3),
    electra("electra_model", "ElectraModel", type_vocab_size=3),
    electra("electra_sequences", "ElectraForSequenceClassification", num_labels=3),
    electra("electra_tokens", "ElectraForTokenClassification", num_labels=5, hidden_act="silu"),
    electra("electra_spans", "ElectraForQuestionAnswering", type_vocab_size=1),
]
FROZEN = [DISCRIMINATOR]


@pytest.mark.parametrize("case", CASES, ids=str)
class TestElectra(EncoderParityTests):
    pass
