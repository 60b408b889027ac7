"""Blanks against the rows that GLM's objectives make for training."""

import dataclasses

import jax
import numpy as np
import pytest

from t2t.data.features import Feature
from t2t.data.objectives import GlmBlankInfilling, GlmDocumentInfilling, GlmSentenceInfilling
from t2t.decoding.beam import Beam
from t2t.decoding.blank_filling import BlankReader
from t2t.decoding.decoding import Decoding
from t2t.decoding.length_buckets import Bucket
from t2t.decoding.predictor import Predictor
from t2t.decoding.prompts import collate
from t2t.decoding.reading import InputLimit
from t2t.decoding.sampling import Sampling
from t2t.errors import UserError
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import Model
from t2t.models.positions import TwoDimensionalPositions
from tests.decoding.numbers import VOCAB, Numbers, random_params, stack

MASK, START, END = 23, 22, 21
OBJECTIVE = GlmBlankInfilling(mask_id=MASK, start_id=START, end_id=END, noise_density=0.4)
FEATURES = dict.fromkeys(("inputs", "targets"), Feature(Numbers(extra_ids=2), add_eos=False))
GLM = DecoderOnly(VOCAB + 2, stack(positions=TwoDimensionalPositions(32, 9)))
ALIGNED = ("input_tokens", "prefix_mask", "positions", "block_positions")


def reader(objectives=(OBJECTIVE,), max_length=8, limit=None):
    return BlankReader(GLM, FEATURES, objectives, max_length, limit or InputLimit())


def read(text, **settings):
    return reader(**settings).read({"inputs": text}, "Record 1")


def test_blanks_are_filled_from_left_to_right_known_answer():
    draft = read("5 [MASK] 6 7 [MASK]")
    assert {name: draft.prompt.decoder[name].tolist() for name in ALIGNED} == {
        "input_tokens": [5, MASK, 6, 7, MASK, START],
        "prefix_mask": [1, 1, 1, 1, 1, 0],
        "positions": [0, 1, 2, 3, 4, 1],
        "block_positions": [0, 0, 0, 0, 0, 1],
    }
    second = draft.then(np.array([10, 11], np.int32))
    assert {name: second.prompt.decoder[name].tolist() for name in ALIGNED} == {
        "input_tokens": [5, MASK, 6, 7, MASK, START, 10, 11, START],
        "prefix_mask": [1, 1, 1, 1, 1, 0, 0, 0, 0],
        "positions": [0, 1, 2, 3, 4, 1, 1, 1, 4],
        "block_positions": [0, 0, 0, 0, 0, 1, 2, 3, 1],
    }
    output = second.then(np.zeros(0, np.int32))
    assert output.text == "5 10 11 6 7"
    assert output.details == {"fills": ["10 11", ""]}


def training_row():
    """Features of a row whose spans happen to be in the order of the text, and its spans."""
    tokens = np.random.default_rng(1).integers(2, 20, (200, 12), dtype=np.int32)
    made = OBJECTIVE.corrupt(tokens, np.arange(200, dtype=np.uint64), FEATURES)
    for row in range(200):
        length = made["inputs"].lengths[row]
        features = {name: ragged.tokens[row, :length] for name, ragged in made.items()}
        starts = np.flatnonzero(features["inputs"] == START)
        if len(starts) > 1 and (np.diff(features["positions"][starts]) > 0).all():
            return features, starts
    raise AssertionError("no such row")


def test_prompts_are_what_the_objective_makes_of_a_row():
    features, starts = training_row()
    in_a = features["prefix_mask"] == 1
    text = " ".join("[MASK]" if i == MASK else str(i) for i in features["inputs"][in_a])
    draft = read(text)
    model, params = Model(GLM), random_params(GLM)
    names = {"inputs": "input_tokens"}
    batch = {
        f"decoder_{names.get(name, name)}": features[name][None]
        for name in ("inputs", "prefix_mask", "positions", "block_positions")
    }
    trained = np.asarray(jax.jit(lambda p, b: model.bind(p)(b))(params, batch))[0]
    begin = jax.jit(lambda p, b: model.bind(p).start(b, 8))
    step = jax.jit(lambda p, token, state: model.bind(p).decode_step(token, state))
    for start, end in zip(starts, [*starts[1:], len(features["inputs"])], strict=True):
        for name in ALIGNED:
            expected = batch[f"decoder_{name}"][0, : start + 1]
            np.testing.assert_array_equal(draft.prompt.decoder[name], expected, err_msg=name)
        prompt = collate([draft.prompt], Bucket([0], 1, 40), 0)
        logits, state = begin(params, prompt)
        np.testing.assert_allclose(logits[0], trained[start], rtol=1e-3, atol=1e-3)
        fill = features["inputs"][start + 1 : end]
        for token, expected in zip(fill, trained[start + 1 : end], strict=True):
            logits, state = step(params, token[None], state)
            np.testing.assert_allclose(logits[0], expected, rtol=1e-3, atol=1e-3)
        draft = draft.then(fill)
    assert len(draft.text.split()) == 12


def predictor(strategy=None, batch_size=4):
    decoding = Decoding(max_length=5) if strategy is None else Decoding(strategy, max_length=5)
    params = random_params(GLM)
    return Predictor(Model(GLM), params, reader(max_length=5), decoding, batch_size=batch_size)


TEXTS = ["5 [MASK] 6", "7 8 [MASK] 9 [MASK]", "3 4", "[MASK] [MASK] [MASK]", "[MASK]"]


def test_predictions_are_filled_texts_whatever_the_batch_size():
    found = list(predictor().predict(TEXTS))
    for text, (prediction,) in zip(TEXTS, found, strict=True):
        fills = prediction.details["fills"]
        assert len(fills) == max(text.count("[MASK]"), 1)
        blank = text if "[MASK]" in text else f"{text} [MASK]"
        for fill in fills:
            blank = blank.replace("[MASK]", fill, 1)
        assert prediction.text.split() == blank.split()
        assert np.isfinite(prediction.score)
    alone = predictor(batch_size=1).predict(TEXTS[:2])
    for (one,), (among_others,) in zip(alone, found, strict=False):
        assert one.text == among_others.text
        assert one.score == pytest.approx(among_others.score, rel=1e-4)


def test_samples_go_on_by_themselves():
    found = next(predictor(Sampling(3.0, num_samples=3)).predict([TEXTS[1]]))
    assert len({prediction.text for prediction in found}) == 3
    assert len({prediction.details["fills"][1] for prediction in found}) > 1


def test_beams_are_best_first_whatever_the_number_of_blanks():
    for found in predictor(Beam(4, 4)).predict(TEXTS):
        scores = [prediction.score for prediction in found]
        assert scores == sorted(scores, reverse=True)


def test_prompts_longer_than_the_table_of_positions_have_length_classes_too():
    filler = predictor(batch_size=1)
    texts = ["5 " * size + "[MASK] 6 [MASK]" for size in (24, 26, 27, 28, 29)]
    assert all(np.isfinite(one.score) for (one,) in filler.predict(texts))
    assert filler.throughput.compilations == 2  # of 32 and 64 tokens; there are 32 positions


def test_masks_of_the_objectives_are_told_apart():
    several = [
        OBJECTIVE,
        GlmSentenceInfilling(mask_id=25, start_id=START, end_id=END),
        GlmDocumentInfilling(mask_id=24, start_id=START, end_id=END),
    ]
    prompt = read("[MASK] 5 [sMASK] <extra_id_1>", objectives=several).prompt
    assert prompt.decoder["input_tokens"][:4].tolist() == [MASK, 5, 25, 24]
    assert read("5", objectives=several).prompt.decoder["input_tokens"].tolist() == [5, 24, START]
    other = dataclasses.replace(several[1], end_id=20)
    with pytest.raises(UserError, match="different start_id and end_id"):
        reader(objectives=[OBJECTIVE, other])


def test_limits():
    assert len(read("5 " * 40, limit=InputLimit(None, True)).prompt.decoder["positions"]) == 33
    with pytest.raises(UserError, match="Record 1 has no blank in its last 32 tokens"):
        read("[MASK]" + " 5" * 40, limit=InputLimit(None, True))
    with pytest.raises(UserError, match=r"Record 1 has inputs of 41 tokens, but .* 32 positions"):
        read("5 " * 40)
    with pytest.raises(UserError, match=r"max_length \(9 tokens of a blank\).*allows: 8"):
        reader(max_length=9)
    with pytest.raises(UserError, match="Record 1 has a prefix, but blanks are filled without"):
        reader().read({"inputs": "[MASK]", "prefix": "5"}, "Record 1")
