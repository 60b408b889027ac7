"""GLM as its paper has it (https://arxiv.org/abs/2103.10360), from corruption to logits.

Compared with a transformer in NumPy and float64 that computes one example at a time, without
padding, segments or masks given as arrays.
"""

import functools

import jax
import numpy as np
import pytest

from t2t.data.converters import BlankInfillingFeatureConverter
from t2t.data.objectives.glm import GlmBlankInfilling, GlmDocumentInfilling
from t2t.models.attention import Attention
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import Model
from t2t.models.feed_forward import FeedForward
from t2t.models.norms import LayerNorm
from t2t.models.positions import TwoDimensionalPositions
from t2t.models.stack import Stack
from tests.data.objectives.material import UNENDED, VOCABULARY, keys, text_rows

HEADS, HEAD_DIM, EPSILON = 2, 6, 1e-5
MODEL = Model(
    DecoderOnly(
        vocab_size=VOCABULARY.vocab_size,
        decoder=Stack(
            num_layers=2,
            d_model=16,
            attention=Attention(HEADS, HEAD_DIM, bias=True, out_bias=True),
            feed_forward=FeedForward(20, ("gelu_tanh",), bias=True),
            norm=LayerNorm(EPSILON),
            positions=TwoDimensionalPositions(max_length=64, max_block_length=48),
        ),
    )
)
WIDTH = 96
LENGTHS = {"inputs": 48, "targets": 48}


@functools.cache
def params():
    rng = np.random.default_rng(0)

    def draw(path, leaf):
        noise = rng.normal(size=leaf.shape).astype(np.float32)
        match path[-1].key:
            case "kernel":
                return noise * leaf.shape[-2] ** -0.5
            case "scale":
                return 1 + 0.3 * noise
            case _:
                return 0.5 * noise

    return jax.tree_util.tree_map_with_path(draw, MODEL.abstract_params)


forward = jax.jit(lambda params, batch: MODEL.bind(params)(batch))


def layer_norm(x, norm):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + EPSILON) * norm["scale"] + norm["bias"]


def dense(x, layer):
    return x @ layer["kernel"] + layer["bias"]


def gelu(x):
    return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def attend(x, layer, part_a):
    """Each token sees Part A, of `part_a` tokens, and those of Part B up to itself."""
    q, k, v = (
        dense(x, layer[name]).reshape(-1, HEADS, HEAD_DIM) for name in ("query", "key", "value")
    )
    out = np.zeros_like(q)
    for i in range(len(x)):
        visible = max(part_a, i + 1)
        for h in range(HEADS):
            weights = np.exp(k[:visible, h] @ q[i, h] / np.sqrt(HEAD_DIM))
            out[i, h] = weights @ v[:visible, h] / weights.sum()
    return dense(out.reshape(len(x), -1), layer["out"])


def reference(example):
    """float64 `[length, vocab_size]` logits of one example."""
    p = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params())
    table, decoder = p["token_embedder"]["embedding"], p["decoder"]
    x = table[example["inputs"]] + decoder["positions"]["embedding"][example["positions"]]
    x = x + decoder["positions"]["block_embedding"][example["block_positions"]]
    for number in range(2):
        layer = jax.tree.map(lambda leaf, number=number: leaf[number], decoder["layers"])
        x = x + attend(
            layer_norm(x, layer["self_attention_norm"]),
            layer["self_attention"],
            int(example["prefix_mask"].sum()),
        )
        hidden = gelu(dense(layer_norm(x, layer["mlp_norm"]), layer["mlp"]["wi"]))
        x = x + dense(hidden, layer["mlp"]["wo"])
    return layer_norm(x, decoder["final_norm"]) @ table.T


def corrupted(objective):
    rows = text_rows(34, 21, 28)
    return objective(rows, keys(len(rows)), UNENDED, LENGTHS)


@pytest.mark.parametrize("objective", [GlmBlankInfilling(0.3), GlmDocumentInfilling()])
def test_logits(objective):
    examples = corrupted(objective)
    lengths = dict.fromkeys(("inputs", "targets"), WIDTH)
    converter = BlankInfillingFeatureConverter(pack=True)
    batch = converter.convert_rows([examples[:2], examples[2:]], lengths)
    assert batch["decoder_segment_ids"].max() == 2
    logits = np.asarray(forward(params(), batch))
    begin = len(examples[0]["inputs"])
    given = [logits[0, :begin], logits[0, begin:], logits[1]]
    for example, ours in zip(examples, given, strict=True):
        expected = reference(example)
        assert np.abs(expected).max() > 1
        np.testing.assert_allclose(ours[: len(expected)], expected, atol=1e-4)
