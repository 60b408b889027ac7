"""Prompts against the batches that the converters make for training."""

import dataclasses

import numpy as np
import pytest

from t2t.data.converters import (
    EncDecFeatureConverter,
    LMFeatureConverter,
    PrefixLMFeatureConverter,
)
from t2t.decoding.length_buckets import Bucket
from t2t.decoding.prompts import Prompt, collate, make_prompt
from t2t.errors import UserError
from t2t.models.config import SpecialTokens
from t2t.models.definition import Model
from t2t.models.encoder_only import EncoderOnly
from t2t.models.heads import LMHead
from tests.decoding.numbers import VOCAB, stack
from tests.decoding.predicting import GPT, PREFIX_LM, T5, params_of

INPUTS = [np.array([5, 6, 7, 8, 1], np.int32), np.array([9, 1], np.int32)]
TARGETS = [np.array([11, 12, 1], np.int32), np.array([13, 14, 15, 1], np.int32)]
LENGTHS = {"inputs": 6, "targets": 5}


def first_logits(config, prompts, width=7):
    """Of the first new token, `[batch, vocab]`."""
    batch = collate(prompts, Bucket([0, 1], 3, width), config.tokens.pad)
    assert len(batch["decoder_input_tokens"]) == 3
    return np.asarray(Model(config).bind(params_of(config)).start(batch, 4)[0])[:2]


def training_logits(config, converter, lengths=LENGTHS):
    """Of every token, `[batch, length, vocab]`."""
    examples = [
        {name: {"inputs": x, "targets": y}[name] for name in converter.task_features}
        for x, y in zip(INPUTS, TARGETS, strict=True)
    ]
    batch = converter(examples, {name: lengths[name] for name in converter.task_features})
    return np.asarray(Model(config).bind(params_of(config))(batch))


@pytest.mark.parametrize("prefix_lm", [False, True])
@pytest.mark.parametrize("forced", [0, 2])
def test_a_decoder_reads_inputs_as_in_training(prefix_lm, forced):
    config = dataclasses.replace(PREFIX_LM, prefix_lm=prefix_lm)
    expected = training_logits(config, PrefixLMFeatureConverter(pack=False))
    prompts = [make_prompt(config, x, y[:forced]) for x, y in zip(INPUTS, TARGETS, strict=True)]
    found = first_logits(config, prompts, width=10)
    for row, inputs in enumerate(INPUTS):
        np.testing.assert_allclose(found[row], expected[row, len(inputs) + forced], atol=1e-4)
    assert np.abs(found[0] - found[1]).max() > 0.1


def test_directions_of_a_prefix_matter():
    causal = dataclasses.replace(PREFIX_LM, prefix_lm=False)
    prompts = [make_prompt(PREFIX_LM, inputs) for inputs in INPUTS]
    assert np.abs(first_logits(PREFIX_LM, prompts) - first_logits(causal, prompts)).max() > 0.1


def test_a_language_model_reads_a_text_as_in_training():
    expected = training_logits(GPT, LMFeatureConverter(pack=False))
    nothing = np.zeros(0, np.int32)
    found = first_logits(GPT, [make_prompt(GPT, nothing, y[:-1]) for y in TARGETS])
    for row, targets in enumerate(TARGETS):
        np.testing.assert_allclose(found[row], expected[row, len(targets) - 1], atol=1e-4)


def test_an_encoder_decoder_reads_inputs_and_prefix_as_in_training():
    expected = training_logits(T5, EncDecFeatureConverter(pack=False))
    prefixes = [0, 2]
    prompts = [make_prompt(T5, x, y[:n]) for x, y, n in zip(INPUTS, TARGETS, prefixes, strict=True)]
    found = first_logits(T5, prompts)
    for row, n in enumerate(prefixes):
        np.testing.assert_allclose(found[row], expected[row, n], atol=1e-4)


def test_padding_is_in_front_of_the_decoder_and_behind_the_encoder():
    prompts = [
        Prompt({"input_tokens": np.array([0, 7]), "positions": np.array([0, 1])}, INPUTS[1]),
        Prompt({"input_tokens": np.array([0]), "positions": np.array([0])}, INPUTS[0]),
        Prompt({"input_tokens": np.array([0, 1, 2]), "positions": np.arange(3)}, INPUTS[0]),
    ]
    batch = collate(prompts, Bucket([1, 0], 3, 6), 9)
    assert {name: x.tolist() for name, x in batch.items()} == {
        "encoder_input_tokens": [[5, 6, 7, 8, 1, 9], [9, 1, 9, 9, 9, 9], [9] * 6],
        "decoder_input_tokens": [[9, 0], [0, 7], [9, 9]],
        "decoder_positions": [[0, 0], [0, 1], [0, 0]],
        "decoder_segment_ids": [[0, 1], [1, 1], [0, 0]],
    }
    assert {x.dtype for x in batch.values()} == {np.dtype(np.int32)}


def test_an_encoder_without_a_padding_id_is_told_where_padding_is():
    prompts = [Prompt({"input_tokens": np.array([3])}, inputs) for inputs in INPUTS]
    batch = collate(prompts, Bucket([0, 1], 2, 6), None)
    assert batch["encoder_segment_ids"].tolist() == [[1, 1, 1, 1, 1, 0], [1, 1, 0, 0, 0, 0]]


def test_a_decoder_starts_with_its_start_token():
    config = dataclasses.replace(GPT, tokens=SpecialTokens(pad=None, start=3))
    assert make_prompt(config, INPUTS[1]).decoder["input_tokens"].tolist() == [3, 9, 1]


def test_what_has_no_decoder_says_what_it_can():
    encoder = EncoderOnly(VOCAB, stack(), heads=(LMHead(),))
    with pytest.raises(UserError, match=r"no decoder. It gives embeddings \(`t2t embed`\) and the"):
        make_prompt(encoder, INPUTS[0])
    with pytest.raises(UserError, match=r"embeddings \(`t2t embed`\)\.$"):
        make_prompt(EncoderOnly(VOCAB, stack()), INPUTS[0])
