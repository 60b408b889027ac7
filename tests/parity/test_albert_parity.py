"""ALBERT equals that of transformers, in float32."""

import functools

import pytest

pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("transformers", exc_type=ImportError)

from transformers import AlbertConfig

from tests.parity.encoder_comparisons import EncoderParityTests, encoder_case

pytestmark = pytest.mark.parity


def equal_biases(model):
    """Gives the unused bias of an untied model the value of the used one."""
    model.predictions.bias.copy_(model.predictions.decoder.bias)


albert = functools.partial(encoder_case, AlbertConfig, embedding_size=6)
PRETRAINING = albert(
    "albert_pretraining", "AlbertForPreTraining", num_hidden_layers=4, num_hidden_groups=2
)
CASES = [
    PRETRAINING,
    albert("albert_sentence_order", "AlbertForPreTraining", head="sequence_head"),
    albert("albert_masked_lm", "AlbertForMaskedLM", hidden_act="gelu", num_hidden_groups=3),
    albert(
        "albert_untied",
        "AlbertForMaskedLM",
        tie_word_embeddings=False,
        layer_norm_eps=1e-3,
        hidden_act="relu",
        prepare=equal_biases,
    ),
    albert("albert_model", "AlbertModel", embedding_size=16, type_vocab_size=1),
    albert("albert_sequences", "AlbertForSequenceClassification", num_labels=3),
    albert("albert_tokens", "AlbertForTokenClassification", hidden_act="silu", pad_token_id=4),
    albert("albert_spans", "AlbertForQuestionAnswering", classifier_dropout_prob=0.3),
]
FROZEN = [PRETRAINING]


@pytest.mark.parametrize("case", CASES, ids=str)
class TestAlbert(EncoderParityTests):
    pass
