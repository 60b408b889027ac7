"""Decoders and encoders alone train on their own objectives and are evaluated."""

import dataclasses

import numpy as np
import pytest

from t2t.data.features import Feature
from t2t.data.objectives import (
    CausalLanguageModel,
    GlmBlankInfilling,
    MaskedLanguageModel,
)
from t2t.data.preprocessors import rekey
from t2t.data.registry import TaskRegistry
from t2t.data.sources import InMemoryDataSource
from t2t.data.vocabularies import ByteVocabulary
from t2t.errors import UserError
from t2t.models.attention import Attention
from t2t.models.decoder_only import DecoderOnly
from t2t.models.encoder_only import EncoderOnly
from t2t.models.feed_forward import FeedForward
from t2t.models.heads import LMHead
from t2t.models.positions import LearnedPositions, RoPE, TwoDimensionalPositions
from t2t.models.stack import Stack
from t2t.training.loop import train

STACK = Stack(1, 16, Attention(2, 8), FeedForward(32), positions=RoPE())
GPT = DecoderOnly(384, STACK)
GLM = DecoderOnly(384, dataclasses.replace(STACK, positions=TwoDimensionalPositions(32, 32)))
BERT = EncoderOnly(384, dataclasses.replace(STACK, positions=LearnedPositions(32)), (LMHead(),))
VOCABULARY = ByteVocabulary(
    extra_ids=100,
    mask_token="<extra_id_99>",
    cls_token="<extra_id_98>",
    sep_token="<extra_id_97>",
)
ALONE = {"targets": 32}
BOTH = {"inputs": 32, "targets": 32}
CASES = {
    "GPT": (GPT, CausalLanguageModel(), ALONE),
    "GLM": (GLM, GlmBlankInfilling(), BOTH),
    "BERT": (BERT, MaskedLanguageModel(), BOTH),
}


@pytest.fixture
def text_task():
    def register(objective, lengths):
        texts = [{"text": f"the {i}th word of many words is number {7 * i}"} for i in range(60)]
        TaskRegistry.add(
            "architecture_text",
            source=InMemoryDataSource({"train": texts[:48], "validation": texts[48:]}),
            preprocessors=[rekey({"targets": "text"})],
            objective=objective,
            output_features={name: Feature(VOCABULARY, add_eos=False) for name in lengths},
        )

    yield register
    TaskRegistry.remove("architecture_text")


@pytest.mark.parametrize("name", CASES)
def test_trains_and_is_evaluated(experiment, text_task, name):
    model, objective, lengths = CASES[name]
    text_task(objective, lengths)
    arguments = {**experiment, "mixture": "architecture_text", "model": model}
    result = train(**arguments | {"sequence_length": lengths, "total_steps": 4})
    (scores,) = result.values()
    assert 0 < scores.metrics["loss"] < np.log(384) + 1
    assert scores.baselines["unigram_loss"] > 0
    assert not scores.predictions


def test_unequal_lengths_of_an_encoder_are_refused_before_anything_is_written(
    experiment, text_task, tmp_path
):
    text_task(MaskedLanguageModel(), BOTH)
    lengths = {"inputs": 32, "targets": 16}
    arguments = {**experiment, "mixture": "architecture_text", "model": BERT}
    with pytest.raises(UserError, match=r"32 and 16\. Give both one length in sequence_length"):
        train(**arguments | {"sequence_length": lengths})
    assert not list(tmp_path.iterdir())
