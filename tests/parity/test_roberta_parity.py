"""RoBERTa equals that of transformers, in float32."""

import functools

import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("transformers", exc_type=ImportError)

import torch
from transformers import RobertaConfig

from t2t.models.definition import Model
from tests.parity.encoder_comparisons import EncoderParityTests, encoder_case
from tests.parity.harness import imported, random_batch, saved

pytestmark = pytest.mark.parity


def equal_biases(model):
    """Gives the unused bias of an untied model the value of the used one."""
    model.lm_head.bias.copy_(model.lm_head.decoder.bias)


roberta = functools.partial(encoder_case, RobertaConfig)
MASKED_LM = roberta("roberta_masked_lm", "RobertaForMaskedLM", type_vocab_size=1)
CASES = [
    MASKED_LM,
    roberta(
        "roberta_untied",
        "RobertaForMaskedLM",
        tie_word_embeddings=False,
        hidden_act="relu",  # the head's stays gelu
        pad_token_id=3,
        max_position_embeddings=24,
        prepare=equal_biases,
    ),
    roberta("roberta_sequences", "RobertaForSequenceClassification", num_labels=3),
    roberta("roberta_model", "RobertaModel", layer_norm_eps=1e-3, hidden_act="silu"),
    roberta("roberta_tokens", "RobertaForTokenClassification", num_labels=5),
    roberta("roberta_spans", "RobertaForQuestionAnswering", hidden_act="gelu_new"),
]
FROZEN = [MASKED_LM]


@pytest.mark.parametrize("case", CASES, ids=str)
class TestRoberta(EncoderParityTests):
    pass


def test_padding_in_front_is_not_counted_there():
    """What the family's docstring says: given its positions, ours computes the same."""
    batch = {name: array[1:, ::-1].copy() for name, array in random_batch(MASKED_LM).items()}
    model, (config, params, _) = saved(MASKED_LM)[0], imported(MASKED_LM)
    inputs = batch["encoder_input_tokens"]
    real = inputs != config.tokens.pad
    with torch.no_grad():
        tokens = torch.from_numpy(inputs).long()
        expected = model(tokens, attention_mask=torch.from_numpy(real)).logits.numpy()
    module = Model(config).bind(params)
    counted = np.maximum(np.cumsum(real, axis=1) - 1, 0).astype(np.int32)
    for positions, same in (({"encoder_positions": counted}, True), ({}, False)):
        batch = {"encoder_input_tokens": inputs, **positions}
        assert np.allclose(np.asarray(module(batch))[real], expected[real], atol=1e-4) == same
