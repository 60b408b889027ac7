import dataclasses

import numpy as np
import pytest

from t2t.data.features import FramedFeature
from t2t.decoding.reading import InputLimit, TextReader, until_end
from t2t.errors import UserError
from t2t.models.encoder_decoder import EncoderDecoder
from t2t.models.positions import LearnedPositions
from tests.decoding.numbers import VOCAB, stack
from tests.decoding.predicting import BOTH, GPT, T5

BART = EncoderDecoder(
    VOCAB,
    stack(positions=LearnedPositions(8)),
    stack(positions=LearnedPositions(12), cross_attention=stack().attention),
)
SMALL = dataclasses.replace(GPT, decoder=stack(positions=LearnedPositions(12)))
TEXT = "3 4 5 6 7 8 9 10"  # 9 tokens with the end of sequence


def prompt_of(config, text, *, max_length=4, features=BOTH, prefix="", **limit):
    reader = TextReader(config, features, max_length, InputLimit(**limit))
    return reader.read({"inputs": text, "prefix": prefix}, "Record 3").prompt


def test_encoders_keep_the_beginning_and_its_end_of_sequence():
    assert prompt_of(BART, TEXT, truncate=True).encoder.tolist() == [3, 4, 5, 6, 7, 8, 9, 1]
    prompt = prompt_of(T5, TEXT, max_length=4, truncate=True)
    assert prompt.encoder.tolist() == [3, 4, 5, 6, 7, 8, 9, 10, 1]


@pytest.mark.parametrize("truncate", [True, False])
def test_a_limit_of_ones_own(truncate):
    reader = TextReader(T5, BOTH, 4, InputLimit(3, truncate))
    assert reader.read({"inputs": "3 4"}, "Record 1").prompt.encoder.tolist() == [3, 4, 1]
    if truncate:
        assert reader.read({"inputs": TEXT}, "Record 1").prompt.encoder.tolist() == [3, 4, 1]
    else:
        with pytest.raises(UserError, match="of 9 tokens, but max_input_length is 3"):
            reader.read({"inputs": TEXT}, "Record 1")


def test_decoders_keep_the_end():
    # 12 positions: the start token, 8 inputs, 3 of 4 new tokens, the last of which is not read.
    prompt = prompt_of(SMALL, TEXT, truncate=True)
    assert prompt.decoder["input_tokens"].tolist() == [0, 4, 5, 6, 7, 8, 9, 10, 1]
    assert prompt.decoder["causal_attention"].tolist() == [1] * 9
    prompt = prompt_of(SMALL, TEXT, truncate=True, prefix="20 21")
    assert prompt.decoder["input_tokens"].tolist() == [0, 6, 7, 8, 9, 10, 1, 20, 21]
    text = prompt_of(SMALL, TEXT + " 11 12", truncate=True, features={"targets": BOTH["targets"]})
    assert text.decoder["input_tokens"].tolist() == [0, 5, 6, 7, 8, 9, 10, 11, 12]


def test_what_just_fits_is_not_cut():
    assert len(prompt_of(BART, "3 4 5 6 7 8 9").encoder) == 8
    assert prompt_of(SMALL, "3 4 5 6 7 8 9").decoder_length == 9


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (BART, "Record 3 has inputs of 9 tokens, but the encoder has 8 positions.* the first 8"),
        (
            SMALL,
            "Record 3 has inputs of 9 tokens, but the decoder has 12 positions, and the start "
            "token, 4 new tokens and 0 of the prefix leave room for 8.* --truncate .* the last 8",
        ),
    ],
)
def test_longer_inputs_are_an_error_that_names_the_limit(config, message):
    with pytest.raises(UserError, match=message):
        prompt_of(config, TEXT)


@pytest.mark.parametrize("config", [BART, SMALL])
def test_a_prefix_is_never_cut(config):
    assert prompt_of(config, "", prefix="3 4 5 6 7 8 9").decoder_length >= 8
    with pytest.raises(UserError, match=r"prefix of 9 tokens, but .* positions for 8 before 4 new"):
        prompt_of(config, "", prefix="3 4 5 6 7 8 9 10 11", truncate=True)


def test_more_new_tokens_than_positions_are_refused_before_anything_is_read():
    with pytest.raises(UserError, match=r"13 new tokens\) is more than .* has positions: 12"):
        TextReader(SMALL, BOTH, 13)


def test_limits_must_be_positive():
    with pytest.raises(UserError, match="max_input_length must be at least 1, got 0"):
        InputLimit(0)


def test_an_output_ends_before_the_end_of_sequence():
    draft = TextReader(T5, BOTH, 4).read({"inputs": "3", "prefix": "7"}, "Record 1")
    assert draft.then(np.array([8, 9])).text == "7 8 9"


FRAMED = FramedFeature(BOTH["targets"].vocabulary, before=(20, 21), after=(22,))


def test_outputs_are_told_without_what_is_no_text():
    targets = dataclasses.replace(FRAMED, before=(), unspoken=(20, 21))
    for model, features in [(T5, {**BOTH, "targets": targets}), (GPT, {"targets": targets})]:
        draft = TextReader(model, features, 4).read({"inputs": "20", "prefix": "21 7"}, "Record 1")
        assert draft.then(np.array([20, 8, 21, 9])).text.strip() == "7 8 9"


def test_encoders_read_what_an_imported_tokenizer_puts_around_a_text():
    features = {"inputs": FRAMED, "targets": dataclasses.replace(FRAMED, before=(21,))}
    prompt = prompt_of(BART, "3 4", features=features)
    assert prompt.encoder.tolist() == [20, 21, 3, 4, 22]
    assert prompt.decoder["input_tokens"].tolist() == [0]
    prompt = prompt_of(BART, TEXT, features=features, truncate=True, prefix="5")
    assert prompt.encoder.tolist() == [20, 21, 3, 4, 5, 6, 7, 22]
    assert prompt.decoder["input_tokens"].tolist() == [0, 21, 5]
    with pytest.raises(UserError, match="of 11 tokens, but the encoder has 8 positions"):
        prompt_of(BART, TEXT, features=features)


def test_imported_decoders_read_no_start_token():
    features = {"targets": FRAMED}
    prompt = prompt_of(SMALL, "3 4", features=features, prefix="5")
    assert prompt.decoder["input_tokens"].tolist() == [20, 21, 3, 4, 22, 5]
    prompt = prompt_of(SMALL, TEXT, features=features, truncate=True, prefix="5")
    assert prompt.decoder["input_tokens"].tolist() == [20, 21, 6, 7, 8, 9, 10, 22, 5]
    with pytest.raises(UserError, match="3 special tokens, 4 new tokens and 0 of the prefix"):
        prompt_of(SMALL, TEXT, features=features)
    bare = {"targets": dataclasses.replace(FRAMED, before=(), after=())}
    assert prompt_of(SMALL, "3 4", features=bare).decoder["input_tokens"].tolist() == [3, 4]
    assert prompt_of(SMALL, "", features=bare).decoder["input_tokens"].tolist() == [0]


def test_what_comes_after_any_end_is_left_out():
    tokens = np.array([3, 4, 5, 6])
    assert until_end(tokens, 5, 4).tolist() == [3]
    assert until_end(tokens, None).tolist() == until_end(tokens).tolist() == [3, 4, 5, 6]
