"""Greedy decoding and beam search say what `generate` of transformers says, by the same weights.

Every row of a batch is a case: its own inputs, of its own length.
"""

import functools

import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)
pytest.importorskip("transformers", exc_type=ImportError)

import jax
import jax.numpy as jnp
import torch
from transformers import (
    BartConfig,
    Glm4Config,
    GPT2Config,
    LlamaConfig,
    T5Config,
    UMT5Config,
)
from transformers.generation import (
    LogitsProcessorList,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from t2t.decoding.history import History
from t2t.decoding.processors.warping import MinP, Temperature, TopK, TopP
from tests.parity import (
    test_bart_parity,
    test_glm_parity,
    test_gpt2_parity,
    test_llama_parity,
    test_t5_parity,
    test_t5gemma_parity,
)
from tests.parity.generation import ROWS, Settings, generator
from tests.parity.harness import Case, untie

pytestmark = pytest.mark.parity


def talkative(gain, table=0.3, bias=1.0):
    """For `prepare`: weights with which a model does not say one token again and again."""

    def change(model):
        for name, parameter in model.named_parameters():
            if any(part in name for part in ("embed", "shared", "wte", "wpe")):
                parameter.mul_(table)
            elif parameter.ndim == 2 and "lm_head" not in name and "relative" not in name:
                parameter.mul_(gain)
            elif name.endswith("bias"):
                parameter.mul_(bias)

    return change


def untied(gain, head):
    """The same, with a head of its own."""

    def change(model):
        talkative(gain)(model)
        untie(head)(model)

    return change


SMALL = {"num_decoder_layers": 2}
T5, GATED = test_t5_parity.SHAPE | SMALL, test_t5_parity.GATED | SMALL
BART, T5GEMMA = test_bart_parity.SHAPE | {"encoder_layers": 2}, test_t5gemma_parity.SHAPE
ENCODER_DECODERS = [
    Case("t5_1_0", T5Config(**T5), test_t5_parity.T5, talkative(4)),
    Case("t5_1_1", T5Config(**GATED), test_t5_parity.T5, untied(2, "lm_head")),
    Case("umt5", UMT5Config(**GATED), "UMT5ForConditionalGeneration", untied(2, "lm_head")),
    Case("bart", BartConfig(**BART), test_bart_parity.BART, talkative(2, bias=0.03)),
    Case(
        "t5gemma",
        test_t5gemma_parity.config(T5GEMMA, T5GEMMA),
        test_t5gemma_parity.T5GEMMA,
        talkative(2),
    ),
]
DECODERS = [
    Case("gpt2", GPT2Config(**test_gpt2_parity.SHAPE), test_gpt2_parity.GPT2, talkative(3)),
    Case("llama", LlamaConfig(**test_llama_parity.SHAPE), test_llama_parity.LLAMA, talkative(3)),
    Case(
        "glm4",
        Glm4Config(**test_glm_parity.SHAPE | {"eos_token_id": 1}),
        test_glm_parity.GLM4,
        talkative(3),
    ),
]
CASES = ENCODER_DECODERS + DECODERS
RULES = {"repetition_penalty": 1.5, "no_repeat_ngram_size": 2, "min_new_tokens": 4}
GREEDY = [Settings(), Settings(**RULES, prefix=3)]
BEAMS = [
    Settings(num_beams=2, early_stopping=False),
    Settings(num_beams=5, num_return_sequences=5, length_penalty=0.0, early_stopping="never"),
    Settings(**RULES, num_beams=4, num_return_sequences=4, length_penalty=0.6, prefix=2),
    Settings(num_beams=4, num_return_sequences=2, length_penalty=2.0, early_stopping=True),
    Settings(num_beams=3, num_return_sequences=3, length_penalty=0.6, early_stopping="never"),
]
SEVERAL_ENDS = [
    Settings(several_ends=True, min_new_tokens=3),
    Settings(several_ends=True, num_beams=2, num_return_sequences=2, length_penalty=2.0),
    Settings(
        several_ends=True,
        num_beams=3,
        num_return_sequences=3,
        early_stopping=True,
        min_new_tokens=2,
    ),
]
RAGGED = Settings(num_beams=3, num_return_sequences=3, prefix=4, ragged=True)


def compared(case, settings):
    """The tokens that both say, `[rows, n, length]`.

    One row of sixteen may have other sequences of the same scores: a tie but for rounding.
    """
    given = generator(case)
    batch = given.batch(settings, seed=1)
    theirs, ours = given.theirs(settings, batch), given.ours(settings, batch)
    np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-4)
    assert (ours.tokens != theirs.tokens).any(axis=(1, 2)).sum() <= 1
    return theirs.tokens


@pytest.mark.parametrize("case", CASES, ids=str)
def test_greedy(case):
    tokens = compared(case, GREEDY[0])
    ended = (tokens == generator(case).eos).any(axis=(1, 2))
    assert 0 < ended.sum() < ROWS
    assert len({row.tobytes() for row in tokens}) > ROWS // 2


@pytest.mark.parametrize("case", CASES[1::2], ids=str)
def test_greedy_with_rules(case):
    tokens = compared(case, GREEDY[1])
    assert (tokens[:, :, : RULES["min_new_tokens"]] != generator(case).eos).all()


@pytest.mark.parametrize(
    ("case", "settings"),
    [(case, BEAMS[(i + j) % len(BEAMS)]) for i, case in enumerate(CASES) for j in (0, 2)],
    ids=str,
)
def test_beams(case, settings):
    tokens = compared(case, settings)
    ended = (tokens == generator(case).eos).any(axis=2)
    assert 0 < ended.sum() < ended.size


@pytest.mark.parametrize("settings", SEVERAL_ENDS, ids=str)
@pytest.mark.parametrize("case", [ENCODER_DECODERS[3], DECODERS[0]], ids=str)
def test_several_ends(case, settings):
    tokens, ends = compared(case, settings), generator(case).ends(settings)
    assert len(np.intersect1d(tokens, ends)) > 1
    assert not np.isin(tokens[:, :, : settings.min_new_tokens], ends).any()


@pytest.mark.parametrize("case", [ENCODER_DECODERS[0], ENCODER_DECODERS[4]], ids=str)
def test_forced_prefixes_of_unequal_lengths(case):
    lengths = generator(case).batch(RAGGED, seed=1)["decoder_segment_ids"].sum(axis=1)
    assert len(set(lengths)) > 3
    compared(case, RAGGED)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ([Temperature(0.7)], [TemperatureLogitsWarper(0.7)]),
        ([TopK(5)], [TopKLogitsWarper(5)]),
        ([TopP(0.6)], [TopPLogitsWarper(0.6)]),
        ([MinP(0.1)], [MinPLogitsWarper(0.1)]),
        (
            [Temperature(1.3), TopK(20), TopP(0.8), MinP(0.05)],
            [
                TemperatureLogitsWarper(1.3),
                TopKLogitsWarper(20),
                TopPLogitsWarper(0.8),
                MinPLogitsWarper(0.05),
            ],
        ),
    ],
    ids=["temperature", "top_k", "top_p", "min_p", "all"],
)
def test_sampled_distribution(ours, theirs):
    logits = 3 * np.random.default_rng(2).normal(size=(64, 48)).astype(np.float32)
    history = History.begin(jnp.zeros((64, 1), jnp.int32), None, 4)
    warped = functools.reduce(lambda x, warper: warper(x, history), ours, jnp.asarray(logits))
    expected = LogitsProcessorList(theirs)(torch.zeros((64, 1)).long(), torch.from_numpy(logits))
    np.testing.assert_allclose(
        jax.nn.softmax(warped), torch.softmax(expected, -1).numpy(), rtol=1e-4, atol=1e-7
    )
    assert (expected > -np.inf).sum(1).numpy().std() > 0 or len(theirs) == 1
