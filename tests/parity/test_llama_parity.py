"""LLaMA equals that of transformers, in float32."""

import pytest

pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("transformers", exc_type=ImportError)

from transformers import LlamaConfig

from tests.parity.comparisons import ParityTests
from tests.parity.harness import Case, untie

pytestmark = pytest.mark.parity

LLAMA = "LlamaForCausalLM"
SHAPE = {
    "vocab_size": 48,
    "hidden_size": 24,
    "intermediate_size": 20,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 10,  # times num_attention_heads is not hidden_size
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}
CASES = [
    Case("llama", LlamaConfig(**SHAPE), LLAMA),
    Case("llama_tied", LlamaConfig(**SHAPE, tie_word_embeddings=True), LLAMA),
    Case(
        "llama_not_tied_after_all",
        LlamaConfig(**SHAPE, tie_word_embeddings=True),
        LLAMA,
        untie("lm_head"),
    ),
    Case(
        "llama_biases",
        LlamaConfig(
            **{**SHAPE, "num_key_value_heads": None, "head_dim": None},
            attention_bias=True,
            mlp_bias=True,
            hidden_act="gelu",
            rms_norm_eps=1e-3,
        ),
        LLAMA,
    ),
    Case("llama_multi_query", LlamaConfig(**{**SHAPE, "num_key_value_heads": 1}), LLAMA),
    Case("llama3_scaling", LlamaConfig(**SHAPE, rope_parameters=LLAMA3), LLAMA, lengths=(60, 0)),
    Case(
        "llama_linear_scaling",
        LlamaConfig(**SHAPE, rope_parameters={"rope_type": "linear", "factor": 3.0}),
        LLAMA,
        lengths=(40, 0),
    ),
    Case("llama_yarn", LlamaConfig(**SHAPE, rope_parameters=YARN), LLAMA, lengths=(60, 0)),
    Case(
        "llama_yarn_mscale",
        LlamaConfig(
            **SHAPE,
            rope_parameters={
                **YARN,
                "beta_fast": 8,
                "truncate": False,
                "mscale": 1.0,
                "mscale_all_dim": 0.5,
            },
        ),
        LLAMA,
        lengths=(60, 0),
    ),
]
FROZEN = [CASES[3], CASES[5]]


@pytest.mark.parametrize("case", CASES, ids=str)
class TestLlama(ParityTests):
    pass
