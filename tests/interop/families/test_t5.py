"""A T5 with a bias per layer, whose output matrix transformers reads scaled."""

import dataclasses

import jax
import numpy as np

from t2t.interop.hugging_face import load_hf, save_hf
from t2t.models.definition import Model
from t2t.models.presets import t5

UNSCALED = t5(
    vocab_size=24,
    d_model=12,
    d_ff=8,
    num_heads=2,
    head_dim=4,
    num_encoder_layers=1,
    num_decoder_layers=2,
    per_layer_bias=True,
)
TOKENS = np.array([[3, 4, 5], [6, 7, 1]], np.int32)
BATCH = {"encoder_input_tokens": TOKENS, "decoder_input_tokens": TOKENS[:, ::-1]}


def logits(config, params):
    return jax.jit(lambda params: Model(config).bind(params)(BATCH))(params)


def test_an_unscaled_head_is_written_as_a_scaled_one_with_the_same_logits(tmp_path):
    params = Model(UNSCALED).init(jax.random.key(0))
    save_hf(UNSCALED, params, tmp_path / "umt5")
    config, back, _ = load_hf(tmp_path / "umt5")
    assert config.head == dataclasses.replace(UNSCALED.head, scaled=True)
    np.testing.assert_allclose(logits(config, back), logits(UNSCALED, params), atol=1e-5)
