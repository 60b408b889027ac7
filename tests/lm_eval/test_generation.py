"""`generation_kwargs` of the harness, to settings of ours."""

import pytest

from t2t.data.vocabularies import ByteVocabulary
from t2t.decoding.beam import Beam
from t2t.decoding.decoding import Decoding
from t2t.decoding.greedy import Greedy
from t2t.decoding.length_penalties import LengthPower
from t2t.decoding.processors.ngrams import NoRepeatNGrams
from t2t.decoding.processors.repetition import RepetitionPenalty
from t2t.decoding.sampling import Sampling
from t2t.errors import UserError
from t2t.lm_eval.generation import cut, request_of, stop_tokens

BYTES = ByteVocabulary(extra_ids=4)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Decoding(max_length=9)),
        ({"max_gen_toks": 5, "do_sample": False, "temperature": 0.0}, Decoding(max_length=5)),
        ({"max_new_tokens": 4, "temperature": 0.5}, Decoding(Sampling(0.5, seed=3), 4)),
        ({"do_sample": True, "top_k": 2, "top_p": 0.9}, Decoding(Sampling(1.0, 2, 0.9, seed=3), 9)),
        ({"do_sample": False, "temperature": 0.7}, Decoding(Greedy(), 9)),
        (
            {"num_beams": 2, "length_penalty": 2, "early_stopping": True},
            Decoding(Beam(2, 1, LengthPower(2.0), "first"), 9),
        ),
        (
            {"repetition_penalty": 1.5, "no_repeat_ngram_size": 2, "min_new_tokens": 3},
            Decoding(Greedy(), 9, 3, (RepetitionPenalty(1.5), NoRepeatNGrams(2))),
        ),
    ],
)
def test_names_of_hugging_face(given, expected):
    assert request_of(given, 9, seed=3).decoding == expected


def test_outputs_end_before_the_first_stop():
    assert request_of({"until": "\n"}, 9).until == ("\n",)
    assert request_of({"until": ["Q:", ""]}, 9).until == ("Q:",)
    assert cut("one Q: two\nthree", ("\n", "Q:")) == "one "
    assert cut("one", ()) == "one"


def test_tokens_that_begin_with_a_stop_end_the_output_early():
    assert stop_tokens(BYTES, ()) == ()
    assert stop_tokens(BYTES, ("\n", "x")) == tuple(BYTES.encode("\nx"))
    assert stop_tokens(BYTES, ("\n\n",)) == ()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"temprature": 1}, "'temprature' is not known here. Did you mean 'temperature'"),
        ({"do_sample": True, "num_beams": 2}, "do_sample with num_beams is not done"),
        ({"do_sample": True, "temperature": 0.0}, "temperature"),
        ({"max_gen_toks": 0}, "max_length must be at least 1"),
    ],
)
def test_what_is_not_known_is_refused(given, message):
    with pytest.raises(UserError, match=message):
        request_of(given, 9)
