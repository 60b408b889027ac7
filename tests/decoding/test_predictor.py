import functools
from collections.abc import Sequence

import jax
import numpy as np
import pytest

from t2t.data.features import Feature
from t2t.data.vocabularies import Vocabulary
from t2t.decoding.decoding import Decoding
from t2t.decoding.generate import generate
from t2t.decoding.predictor import Predictor
from t2t.errors import UserError
from t2t.models.definition import Model
from t2t.models.presets import t5

MODEL = Model(
    t5(
        vocab_size=24,
        d_model=8,
        d_ff=8,
        num_heads=2,
        head_dim=4,
        num_encoder_layers=1,
        num_decoder_layers=1,
    )
)
MAX_DECODE_LENGTH = 6


class Numbers(Vocabulary):
    """ "7 12" is the tokens 7 and 12, so that every prediction can be told from any other."""

    base_size = 24
    fingerprint = "numbers"

    def encode(self, text: str) -> list[int]:
        return [int(word) for word in text.split()]

    def _decode(self, ids: Sequence[int]) -> str:
        return " ".join(map(str, ids))


@functools.cache
def params():
    rng = np.random.default_rng(5)
    drawn = jax.tree.map(
        lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), MODEL.abstract_params
    )
    # So that what is said depends on the input.
    drawn["decoder"]["layers"]["cross_attention"]["out"]["kernel"] *= 6
    return drawn


def make(batch_size=4, add_eos=True, max_decode_length=MAX_DECODE_LENGTH):
    inputs, targets = Feature(Numbers(), add_eos=add_eos), Feature(Numbers())
    return Predictor(
        MODEL,
        params(),
        inputs,
        targets,
        max_decode_length=max_decode_length,
        batch_size=batch_size,
    )


def texts(lengths, seed=0):
    rng = np.random.default_rng(seed)
    return [" ".join(map(str, rng.integers(2, 24, length))) for length in lengths]


@functools.cache
def alone(text):
    """The prediction for one text, without a predictor, always padded to 32 tokens."""
    tokens = np.zeros((1, 32), np.int32)
    ids = [*Numbers().encode(text), Vocabulary.eos_id]
    tokens[0, : len(ids)] = ids
    prompt = np.full((1, 1), MODEL.config.tokens.start, np.int32)
    batch = {"encoder_input_tokens": tokens, "decoder_input_tokens": prompt}
    return Numbers().decode(np.asarray(one_row()(params(), batch).tokens)[0, 0])


@functools.cache
def one_row():
    decoding = Decoding(max_length=MAX_DECODE_LENGTH)
    return jax.jit(lambda p, b: generate(MODEL.bind(p), b, decoding))


MIXED = texts(np.random.default_rng(1).integers(1, 31, 27))


def test_predictions_come_in_the_order_of_the_inputs():
    predictions = list(make().predict(MIXED))
    assert predictions == [alone(text) for text in MIXED]
    assert len(set(predictions)) > 15


@pytest.mark.parametrize("batch_size", [1, 3, 27])
def test_predictions_do_not_depend_on_the_batch_size(batch_size):
    predictions = list(make(batch_size=batch_size).predict(MIXED))
    assert predictions == [alone(text) for text in MIXED]


def test_predictions_do_not_depend_on_the_other_inputs():
    predictor = make()
    shuffled = np.random.default_rng(2).permutation(MIXED).tolist()
    assert list(predictor.predict(shuffled)) == [alone(text) for text in shuffled]
    assert list(predictor.predict([MIXED[5]] * 3)) == [alone(MIXED[5])] * 3


def test_one_compilation_per_length_class_in_a_long_call():
    predictor = make()
    # With the end of sequence 2..17, 16..33 and 32..65: classes 16, 32, 64 and 128.
    list(predictor.predict(texts([1, 5, 9, 15] + [16, 20, 25, 31] + [32, 40, 50, 63] + [64] * 4)))
    assert predictor._generate._cache_size() == 4


def test_number_of_compilations_is_bounded_whatever_the_inputs():
    predictor = make()
    rng = np.random.default_rng(3)
    for count in [1, 2, 3, 4, 5, 7, 13, 40]:
        list(predictor.predict(texts(rng.integers(0, 31, count), seed=count)))
    # Two length classes (16, 32) times three numbers of rows (1, 2, 4).
    assert predictor._generate._cache_size() <= 6
    before = predictor._generate._cache_size()
    for count in range(1, 9):
        list(predictor.predict(texts(rng.integers(20, 31, count), seed=count)))
    assert predictor._generate._cache_size() <= max(before, 6)


@pytest.mark.parametrize("add_eos", [True, False])
def test_an_empty_line_has_a_prediction_of_its_own(add_eos):
    predictions = list(make(add_eos=add_eos).predict([MIXED[0], "", MIXED[1]]))
    assert len(predictions) == 3
    if add_eos:
        assert predictions == [alone(MIXED[0]), alone(""), alone(MIXED[1])]
        assert predictions[1]
    else:  # no tokens at all: nothing to say
        assert predictions[1] == "0 0 0 0 0 0"


def test_no_inputs_give_no_predictions():
    assert list(make().predict([])) == []


def test_inputs_are_read_as_they_are_needed():
    read = []

    def endless():
        while True:
            read.append(MIXED[len(read) % len(MIXED)])
            yield read[-1]

    predictor = make(batch_size=2)
    stream = predictor.predict(endless())
    assert [next(stream) for _ in range(3)] == [alone(text) for text in MIXED[:3]]
    assert len(read) == 8 * 2


@pytest.mark.parametrize(("batch_size", "max_decode_length"), [(0, 6), (-1, 6), (4, 0)])
def test_sizes_must_be_positive(batch_size, max_decode_length):
    with pytest.raises(UserError, match=f"got {max_decode_length} and {batch_size}"):
        make(batch_size=batch_size, max_decode_length=max_decode_length)


@pytest.mark.parametrize("length", [1, 3])
def test_predictions_are_no_longer_than_asked_for(length):
    predictor = make(max_decode_length=length)
    for text, prediction in zip(MIXED[:4], predictor.predict(MIXED[:4]), strict=True):
        assert prediction.split() == alone(text).split()[:length]
