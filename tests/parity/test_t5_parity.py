"""T5, mT5 and umT5 equal those of transformers, in float32."""

import pytest

pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("transformers", exc_type=ImportError)

from transformers import MT5Config, T5Config, UMT5Config

from tests.parity.comparisons import ParityTests
from tests.parity.harness import Case, untie

pytestmark = pytest.mark.parity

SHAPE = {
    "vocab_size": 48,
    "d_model": 16,
    "d_ff": 24,
    "d_kv": 6,  # times num_heads is not d_model
    "num_heads": 2,
    "num_layers": 2,
    "num_decoder_layers": 3,
    "decoder_start_token_id": 0,
}
GATED = {**SHAPE, "feed_forward_proj": "gated-gelu"}
T5 = "T5ForConditionalGeneration"
CASES = [
    Case("t5_relu_tied", T5Config(**SHAPE), T5, lengths=(140, 135)),
    Case("t5_gated_untied", T5Config(**GATED, tie_word_embeddings=False), T5, untie("lm_head")),
    Case("t5_gated_silu_tied", T5Config(**SHAPE, feed_forward_proj="gated-silu"), T5),
    Case("t5_exact_gelu", T5Config(**SHAPE, feed_forward_proj="gelu"), T5),
    Case(
        "t5_buckets",
        T5Config(
            **SHAPE,
            relative_attention_num_buckets=8,
            relative_attention_max_distance=20,
            layer_norm_epsilon=1e-3,
        ),
        T5,
        lengths=(24, 30),
    ),
    Case("mt5", MT5Config(**SHAPE), "MT5ForConditionalGeneration", untie("lm_head")),
    Case("umt5", UMT5Config(**SHAPE), "UMT5ForConditionalGeneration", lengths=(20, 18)),
    Case("umt5_untied", UMT5Config(**SHAPE), "UMT5ForConditionalGeneration", untie("lm_head")),
]
FROZEN = [case for case in CASES if case.name in ("t5_buckets", "t5_gated_untied", "umt5")]


@pytest.mark.parametrize("case", CASES, ids=str)
class TestT5(ParityTests):
    pass
