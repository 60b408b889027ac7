"""T5Gemma equals that of transformers, in float32."""

import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("transformers", exc_type=ImportError)

import torch
from transformers import AutoModelForSeq2SeqLM, T5GemmaConfig, T5GemmaModuleConfig

from t2t.interop.hugging_face import save_hf
from t2t.models.definition import Model
from tests.interop.test_adaptation import GEMMA, adapted, tokens
from tests.parity.comparisons import ParityTests
from tests.parity.harness import Case, untie

pytestmark = pytest.mark.parity

T5GEMMA = "T5GemmaForConditionalGeneration"
SHAPE = {
    "vocab_size": 48,
    "hidden_size": 24,
    "intermediate_size": 20,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 10,  # times num_attention_heads is not hidden_size
    "query_pre_attn_scalar": 7,
    "sliding_window": 3,
    "attn_logit_softcapping": 2.0,
    "final_logit_softcapping": 3.0,
    "max_position_embeddings": 64,
}
PLAIN = {
    **SHAPE,
    "attn_logit_softcapping": None,
    "final_logit_softcapping": None,
    "num_key_value_heads": 4,
    "query_pre_attn_scalar": 10,
    "layer_types": ["full_attention"] * 3,
}
LARGER = {
    **SHAPE,
    "hidden_size": 32,
    "intermediate_size": 28,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 12,
    "query_pre_attn_scalar": 12,
    "sliding_window": 2,
    "attn_logit_softcapping": 1.5,
}
UNEVEN = {
    "layer_types": ["sliding_attention", "full_attention", "full_attention"],
    "attention_bias": True,
    "rms_norm_eps": 1e-3,
    "hidden_activation": "silu",
    "rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 100.0},
}


def config(encoder, decoder, **settings):
    sides = {
        "encoder": T5GemmaModuleConfig(**encoder),
        "decoder": T5GemmaModuleConfig(**decoder),
    }
    return T5GemmaConfig(**sides, vocab_size=48, **settings)


CASES = [
    Case("t5gemma", config(SHAPE, SHAPE), T5GEMMA, lengths=(11, 9)),
    Case("t5gemma_unbalanced", config(LARGER, SHAPE), T5GEMMA, lengths=(11, 9)),
    Case("t5gemma_biases", config({**SHAPE, **UNEVEN}, {**SHAPE, **UNEVEN}), T5GEMMA),
    Case(
        "t5gemma_untied",
        config(PLAIN, PLAIN, tie_word_embeddings=False),
        T5GEMMA,
        untie("lm_head.out_proj"),
    ),
]
FROZEN = [CASES[1]]


@pytest.mark.parametrize("case", CASES, ids=str)
class TestT5Gemma(ParityTests):
    pass


def test_adapted_language_model_is_exported(tmp_path):
    new, params = adapted(GEMMA, GEMMA)
    save_hf(new, params, tmp_path / "t5gemma")
    model = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "t5gemma").eval()
    rows = np.array(tokens())
    batch = {"encoder_input_tokens": rows, "decoder_input_tokens": rows[:, ::-1].copy()}
    inputs, targets = (torch.from_numpy(array).long() for array in batch.values())
    with torch.no_grad():
        expected = model(input_ids=inputs, decoder_input_ids=targets).logits.numpy()
    np.testing.assert_allclose(Model(new).bind(params)(batch), expected, atol=1e-4)
