"""Our positions equal those of PyTorch models in transformers, in float32."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("transformers", exc_type=ImportError)

import torch
from transformers import GlmConfig, LlamaConfig
from transformers.models.bloom.modeling_bloom import build_alibi_tensor
from transformers.models.glm import modeling_glm as glm
from transformers.models.llama import modeling_llama as llama
from transformers.models.m2m_100.modeling_m2m_100 import M2M100SinusoidalPositionalEmbedding
from transformers.models.marian.modeling_marian import MarianSinusoidalPositionalEmbedding

from t2t.models.positions import (
    ALiBi,
    LinearScaling,
    Llama3Scaling,
    RoPE,
    SinusoidalPositions,
    YarnScaling,
)
from tests.models.positions.builds import build

pytestmark = pytest.mark.parity

LLAMAS = {
    "default": (RoPE(10000.0), {"rope_type": "default"}),
    "large theta": (RoPE(1e6), {"rope_type": "default", "rope_theta": 1e6}),
    "linear": (RoPE(scaling=LinearScaling(8.0)), {"rope_type": "linear", "factor": 8.0}),
    "llama3": (
        RoPE(500000.0, scaling=Llama3Scaling(8.0, 1.0, 4.0, 8192)),
        {
            "rope_type": "llama3",
            "rope_theta": 500000.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
    ),
    "yarn": (
        RoPE(scaling=YarnScaling(4.0, 4096)),
        {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 4096},
    ),
    "yarn, all settings": (
        RoPE(150000.0, scaling=YarnScaling(32.0, 4096, 16.0, 2.0, 1.25, truncate=False)),
        {
            "rope_type": "yarn",
            "rope_theta": 150000.0,
            "factor": 32.0,
            "original_max_position_embeddings": 4096,
            "beta_fast": 16.0,
            "beta_slow": 2.0,
            "attention_factor": 1.25,
            "truncate": False,
        },
    ),
}
HEAD_DIM = 64
POSITIONS = np.array([[*range(60), 511, 1000, 2047, 4095]])


def queries():
    rng = np.random.default_rng(0)
    return rng.standard_normal((2, POSITIONS.size, 3, HEAD_DIM)).astype(np.float32)


def rotated_by_torch(module, rotary):
    x = torch.from_numpy(queries())
    cos, sin = rotary(x, torch.from_numpy(POSITIONS))
    return module.apply_rotary_pos_emb(x, x, cos, sin, unsqueeze_dim=2)[0].numpy()


def assert_rotates_alike(spec, expected, frequencies):
    turning = 2 * len(frequencies)
    # Equal but for the last bit, which grows with the position.
    np.testing.assert_allclose(spec.frequencies(turning), frequencies, rtol=3e-7)
    actual = build(spec, head_dim=HEAD_DIM).rotate(jnp.asarray(queries()), jnp.asarray(POSITIONS))
    np.testing.assert_allclose(actual[:, :60], expected[:, :60], atol=2e-5)
    np.testing.assert_allclose(actual[:, 60:], expected[:, 60:], atol=2e-3)


@pytest.mark.parametrize("case", LLAMAS)
def test_llama(case):
    spec, parameters = LLAMAS[case]
    config = LlamaConfig(
        hidden_size=3 * HEAD_DIM,
        num_attention_heads=3,
        max_position_embeddings=131072,
        rope_parameters={"rope_theta": 10000.0, **parameters},
    )
    rotary = llama.LlamaRotaryEmbedding(config)
    amplitude = spec.scaling.amplitude if spec.scaling else 1.0
    assert amplitude == pytest.approx(rotary.attention_scaling)
    assert_rotates_alike(spec, rotated_by_torch(llama, rotary), rotary.inv_freq.numpy())


@pytest.mark.parametrize("fraction", [0.5, 1.0])
def test_glm_turns_neighbouring_features_of_the_first_part(fraction):
    config = GlmConfig(
        hidden_size=3 * HEAD_DIM,
        num_attention_heads=3,
        head_dim=HEAD_DIM,
        rope_parameters={
            "rope_type": "default",
            "rope_theta": 10000.0,
            "partial_rotary_factor": fraction,
        },
    )
    rotary = glm.GlmRotaryEmbedding(config)
    spec = RoPE(fraction=fraction, interleaved=True)
    assert_rotates_alike(spec, rotated_by_torch(glm, rotary), rotary.inv_freq.numpy())


def test_marian_has_sines_then_cosines():
    module = MarianSinusoidalPositionalEmbedding(512, 32)
    expected = module.create_weight().numpy()
    actual = build(SinusoidalPositions("halves"), d_model=32).embed(jnp.arange(512)[None])
    np.testing.assert_allclose(actual[0], expected, atol=1e-4)


def test_m2m_100_has_tensor2tensors_wavelengths_after_an_offset():
    table = M2M100SinusoidalPositionalEmbedding.get_embedding(514, 32)
    spec = SinusoidalPositions("tensor2tensor", offset=2)
    actual = build(spec, d_model=32).embed(jnp.arange(512)[None])
    np.testing.assert_allclose(actual[0], table.numpy()[2:], atol=1e-4)


@pytest.mark.parametrize("heads", [8, 12, 16, 71])
def test_bloom_has_the_same_attention(heads):
    """Its bias grows with the key instead of falling with distance: the same after softmax."""
    length = 9
    theirs = build_alibi_tensor(torch.ones(1, length), heads, torch.float32).numpy()
    ours = build(ALiBi(), num_heads=heads).bias(length, length, jnp.float32)[0]
    causal = np.tril(np.ones((1, length, length), bool)).repeat(heads, 0)
    np.testing.assert_allclose(
        jax.nn.softmax(ours, where=causal),
        jax.nn.softmax(np.broadcast_to(theirs, ours.shape), where=causal),
        atol=1e-6,
    )
