"""Which rows a head reads; what it says of them is in tests/training/losses/test_heads.py."""

import dataclasses

import numpy as np
import pytest

from t2t.decoding.reading import InputLimit
from t2t.errors import UserError
from t2t.models.definition import Model
from t2t.models.encoder_only import EncoderOnly
from t2t.models.positions import LearnedPositions
from t2t.trained_model import TrainedModel
from tests.decoding.numbers import random_params
from tests.training.labelled import BYTES, HEADS, LENGTHS, LOSSES, STACK, TASKS, encoder_decoder

POSITIONS = 24
CONFIG = EncoderOnly(
    BYTES.vocab_size,
    dataclasses.replace(STACK, num_layers=1, positions=LearnedPositions(POSITIONS)),
    (HEADS["sentences"],),
)


def predictor(trained_length=16, **limit):
    arguments = {
        "loss": LOSSES["sentences"],
        "sequence_length": {**LENGTHS, "inputs": trained_length},
    }
    params, task = random_params(CONFIG), TASKS["sentences"]
    trained = TrainedModel(arguments, Model(CONFIG), params, 0, task, None)
    return trained.head_predictor(limit=InputLimit(**limit))


def test_no_row_is_longer_than_the_model_has_positions():
    fits = "x" * (POSITIONS - 4)  # its length class would be 32
    ((_,), (whole,), (cut,)) = predictor(max_length=40, truncate=True).predict(
        [fits, "x" * (POSITIONS - 2), "x" * 50]
    )
    assert whole == cut
    with pytest.raises(UserError, match=r"Record 2 has inputs of 52 .* the model has 24 positions"):
        list(predictor(max_length=40).predict([fits, "x" * 50]))
    with pytest.raises(UserError, match=r"Record 1 has inputs of 24 .* max_input_length is 20"):
        list(predictor(max_length=20).predict(["x" * 22]))
    with pytest.raises(UserError, match=r"Record 1 has inputs of 24 .* training had 16 at most"):
        list(predictor().predict(["x" * 22]))


def test_a_pair_is_asked_for():
    task, model = TASKS["pairs"], Model(CONFIG)
    arguments = {"loss": LOSSES["pairs"], "sequence_length": LENGTHS}
    trained = TrainedModel(arguments, model, random_params(CONFIG), 0, task, None)
    with pytest.raises(
        UserError, match=r"Record 1 has no 'pair': .* or JSON lines, with 'inputs' and 'pair'"
    ):
        list(trained.head_predictor().predict(["x"]))


def bart():
    config, task = encoder_decoder("sentences"), TASKS["sentences"]
    arguments = {"loss": LOSSES["sentences"], "sequence_length": LENGTHS}
    return TrainedModel(arguments, Model(config), random_params(config), 0, task, None)


@pytest.mark.parametrize("ask", [TrainedModel.scorer, TrainedModel.predictor])
def test_ids_of_labels_are_not_taken_for_text(ask):
    with pytest.raises(
        UserError, match=r"trained by SequenceClassification: .* `t2t infer --scores`"
    ):
        ask(bart())


def test_embeddings_are_of_rows_as_the_head_reads_them():
    (found,) = bart().embedder().embed(["ab"])
    expected = [BYTES.cls_id, *BYTES.encode("ab"), BYTES.sep_id]
    np.testing.assert_array_equal(found.tokens, expected)


def test_a_prefix_is_refused():
    with pytest.raises(UserError, match=r"Record 2 has a prefix, but a head generates nothing"):
        list(predictor().predict(["x", {"inputs": "x", "prefix": "good"}]))
