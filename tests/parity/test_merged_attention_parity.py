"""Merged attention, QK-norm and two kinds of rotary positions equal T5Gemma 2's text model.

Of transformers' model only what reads and writes text: its encoder of text, and its decoder. The
whole model, which sees images, is no family of `t2t/interop`.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("transformers", exc_type=ImportError)

import torch
from transformers.models.t5gemma2 import modeling_t5gemma2 as t5gemma2
from transformers.models.t5gemma2.configuration_t5gemma2 import (
    T5Gemma2DecoderConfig,
    T5Gemma2TextConfig,
)

from t2t.interop.projections import attention_rules, gated_rules
from t2t.interop.reading import read_params
from t2t.interop.sources import MemorySource
from t2t.interop.tables import Rule, Table, norm
from t2t.models.attention import Attention
from t2t.models.config import SpecialTokens
from t2t.models.definition import Model
from t2t.models.embedding import Embedding
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.models.feed_forward import FeedForward
from t2t.models.norms import RMSNorm
from t2t.models.parameter_paths import flatten
from t2t.models.positions import RoPE
from t2t.models.residual import SandwichNorm
from t2t.models.stack import Stack
from tests.parity.harness import deviation

pytestmark = pytest.mark.parity

VOCAB, WIDTH, HEADS, KV_HEADS, HEAD_DIM, FF, WINDOW = 40, 24, 4, 2, 10, 20, 4
LAYERS = ["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"]
LENGTHS = (11, 9)
TOLERANCE = 1e-4


def stack(window, **settings):
    return Stack(
        len(LAYERS),
        WIDTH,
        Attention(HEADS, HEAD_DIM, KV_HEADS, scale=7**-0.5, norm=RMSNorm(offset=1.0)),
        FeedForward(FF),
        norm=RMSNorm(offset=1.0),
        positions=RoPE(1e6),
        placement=SandwichNorm(),
        embedding=Embedding(scaled=True),
        window=window,
        local_layers=(True, True, False),
        local_positions=RoPE(1e4),
        **settings,
    )


CONFIG = EncoderDecoder(
    VOCAB,
    # A window of WINDOW keys around the query, in the encoder.
    encoder=stack(((WINDOW + 1) // 2, WINDOW // 2 + 1)),
    decoder=stack(WINDOW, merged_attention=True),
    tokens=SpecialTokens(start=2),
)


def rules(side):
    ours, theirs = f"{side}/layers", f"{side}.layers.{{layer}}"
    attention = f"{ours}/self_attention"
    return (
        *norm(f"{side}/final_norm", f"{side}.norm", bias=False),
        *attention_rules(attention, f"{theirs}.self_attn", bias=False, out_bias=False),
        *norm(f"{attention}/query_norm", f"{theirs}.self_attn.q_norm", bias=False),
        *norm(f"{attention}/key_norm", f"{theirs}.self_attn.k_norm", bias=False),
        *norm(f"{attention}_norm", f"{theirs}.pre_self_attn_layernorm", bias=False),
        *norm(f"{attention}_post_norm", f"{theirs}.post_self_attn_layernorm", bias=False),
        *gated_rules(f"{ours}/mlp", f"{theirs}.mlp", bias=False),
        *norm(f"{ours}/mlp_norm", f"{theirs}.pre_feedforward_layernorm", bias=False),
        *norm(f"{ours}/mlp_post_norm", f"{theirs}.post_feedforward_layernorm", bias=False),
    )


TABLE = Table(
    (
        Rule("token_embedder/embedding", "encoder.embed_tokens.weight"),
        *rules("encoder"),
        *rules("decoder"),
    ),
    ignored=(r".*\.eoi_embedding",),  # of images
)


@functools.cache
def their_model():
    torch.manual_seed(0)
    settings = {
        "vocab_size": VOCAB,
        "hidden_size": WIDTH,
        "intermediate_size": FF,
        "num_hidden_layers": len(LAYERS),
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD_DIM,
        "query_pre_attn_scalar": 7,
        "sliding_window": WINDOW,
        "layer_types": LAYERS,
        "max_position_embeddings": 64,
        "dropout_rate": 0.0,
    }
    encoder = t5gemma2.T5Gemma2TextEncoder(T5Gemma2TextConfig(**settings))
    decoder = t5gemma2.T5Gemma2Decoder(T5Gemma2DecoderConfig(**settings))
    decoder.embed_tokens = encoder.embed_tokens
    model = torch.nn.ModuleDict({"encoder": encoder, "decoder": decoder}).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def by_our_paths(tensors):
    arrays = {name: tensor.detach().numpy() for name, tensor in tensors}
    return read_params(TABLE, MemorySource(arrays), Model(CONFIG).abstract_params)


@functools.cache
def params():
    return jax.tree.map(jnp.asarray, by_our_paths(their_model().named_parameters()))


@functools.cache
def batch():
    rng = np.random.default_rng(1)
    encoder, decoder = (rng.integers(5, VOCAB, (2, n), dtype=np.int32) for n in LENGTHS)
    encoder[1, 7:] = 0
    decoder[:, 0] = 2
    return {"encoder_input_tokens": encoder, "decoder_input_tokens": decoder}


@functools.cache
def weights():
    return np.random.default_rng(2).normal(size=(2, LENGTHS[1], VOCAB)).astype(np.float32)


@functools.cache
def expected():
    """Logits, and gradients of their weighted sum."""
    model = their_model()
    inputs, targets = (torch.from_numpy(array).long() for array in batch().values())
    padding = (inputs != 0).long()
    encoded = model["encoder"](input_ids=inputs, attention_mask=padding).last_hidden_state
    decoded = model["decoder"](
        input_ids=targets,
        encoder_hidden_states=encoded,
        encoder_attention_mask=padding,
        use_cache=False,
    ).last_hidden_state
    logits = decoded @ model["encoder"].embed_tokens.weight.T
    (logits * torch.from_numpy(weights())).sum().backward()
    gradients = [(n, p.grad) for n, p in model.named_parameters() if p.grad is not None]
    return logits.detach().numpy(), flatten(by_our_paths(gradients))


def logits_of(params, batch):
    return Model(CONFIG).bind(params)(batch)


def test_logits():
    np.testing.assert_allclose(logits_of(params(), batch()), expected()[0], atol=TOLERANCE)
    assert np.abs(expected()[0]).max() > 0.1


def test_gradients():
    def scalar(params):
        return (logits_of(params, batch()) * weights()).sum()

    given = flatten(jax.jit(jax.grad(scalar))(params()))
    deviations = {path: deviation(given[path], array) for path, array in expected()[1].items()}
    assert {path: d for path, d in deviations.items() if not d < TOLERANCE} == {}
    assert given.keys() == deviations.keys()


def test_packed():
    packed = {name: array.reshape(1, -1) for name, array in batch().items()}
    for side, length in zip(("encoder", "decoder"), LENGTHS, strict=True):
        segments = np.repeat(np.array([[1, 2]], np.int32), length, axis=1)
        if side == "encoder":
            segments = np.where(packed["encoder_input_tokens"] != 0, segments, 0)
        packed[f"{side}_segment_ids"] = segments
        packed[f"{side}_positions"] = np.tile(np.arange(length, dtype=np.int32), 2)[None]
    logits = np.asarray(logits_of(params(), packed)).reshape(expected()[0].shape)
    np.testing.assert_allclose(logits, expected()[0], atol=TOLERANCE)


def test_decoding_by_steps():
    module = Model(CONFIG).bind(params())
    tokens = batch()["decoder_input_tokens"]
    prompt = {**batch(), "decoder_input_tokens": tokens[:, :1]}
    logits, state = module.start(prompt, LENGTHS[1] - 1)
    np.testing.assert_allclose(logits, expected()[0][:, 0], atol=TOLERANCE)
    step = jax.jit(module.decode_step)
    for i in range(1, LENGTHS[1]):
        logits, state = step(jnp.asarray(tokens[:, i]), state)
        np.testing.assert_allclose(logits, expected()[0][:, i], atol=TOLERANCE)
