"""BERT equals that of transformers, in float32."""

import functools

import pytest

pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("transformers", exc_type=ImportError)

from transformers import BertConfig

from tests.parity.encoder_comparisons import EncoderParityTests, encoder_case

pytestmark = pytest.mark.parity


def equal_biases(model):
    """Gives the unused bias of an untied model the value of the used one."""
    model.cls.predictions.bias.copy_(model.cls.predictions.decoder.bias)


bert = functools.partial(encoder_case, BertConfig)
MASKED_LM = bert("bert_masked_lm", "BertForMaskedLM")
SEQUENCES = bert("bert_sequences", "BertForSequenceClassification", num_labels=3)
CASES = [
    MASKED_LM,
    SEQUENCES,
    bert(
        "bert_untied",
        "BertForMaskedLM",
        tie_word_embeddings=False,
        hidden_act="gelu_new",
        layer_norm_eps=1e-3,
        type_vocab_size=3,
        prepare=equal_biases,
    ),
    bert("bert_pretraining", "BertForPreTraining", hidden_act="relu", pad_token_id=2),
    bert("bert_next_sentence", "BertForPreTraining", head="sequence_head"),
    bert("bert_model", "BertModel", hidden_act="silu", eos_token_id=3, bos_token_id=4),
    bert("bert_tokens", "BertForTokenClassification", num_labels=5, classifier_dropout=0.2),
    bert("bert_spans", "BertForQuestionAnswering", type_vocab_size=1),
]
FROZEN = [MASKED_LM, SEQUENCES]


@pytest.mark.parametrize("case", CASES, ids=str)
class TestBert(EncoderParityTests):
    pass
