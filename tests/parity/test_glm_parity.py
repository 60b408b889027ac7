"""GLM-4 equals that of transformers, in float32."""

import pytest

pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("transformers", exc_type=ImportError)

from transformers import Glm4Config, GlmConfig

from tests.parity.comparisons import ParityTests
from tests.parity.harness import Case

pytestmark = pytest.mark.parity

GLM, GLM4 = "GlmForCausalLM", "Glm4ForCausalLM"
SHAPE = {
    "vocab_size": 48,
    "hidden_size": 24,
    "intermediate_size": 20,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "pad_token_id": 0,
    "bos_token_id": 4,  # texts start with it; gradients of padding are not told
    "eos_token_id": [1, 2, 3],
    "max_position_embeddings": 64,
}
QUARTER = {"rope_type": "default", "rope_theta": 1000.0, "partial_rotary_factor": 0.25}
YARN = {
    "rope_type": "yarn",
    "factor": 4.0,
    "original_max_position_embeddings": 16,
    "partial_rotary_factor": 0.5,
}
CASES = [
    Case("glm", GlmConfig(**SHAPE), GLM),
    Case(
        "glm_tied",
        GlmConfig(**SHAPE, tie_word_embeddings=True, attention_bias=False, rms_norm_eps=1e-3),
        GLM,
    ),
    Case("glm_quarter_rotary", GlmConfig(**SHAPE, rope_parameters=QUARTER), GLM),
    Case("glm_yarn", GlmConfig(**SHAPE, rope_parameters=YARN), GLM, lengths=(60, 0)),
    Case("glm4", Glm4Config(**SHAPE), GLM4),
]
FROZEN = [CASES[0], CASES[4]]


@pytest.mark.parametrize("case", CASES, ids=str)
class TestGlm(ParityTests):
    pass
