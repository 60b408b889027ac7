import json

import pytest

from t2t.decoding.decoding import Decoding
from t2t.decoding.processors.allowed import BlockedTokens
from t2t.decoding.processors.forced import ForcedFirst, ForcedLast
from t2t.errors import UserError
from t2t.interop.generation_settings import (
    not_done,
    preferred_flags,
    read_generation,
    with_rules,
    with_tokens,
)
from tests.decoding.predicting import GPT, T5

BART_CNN = {  # as bart-large-cnn has them
    "decoder_start_token_id": 2,
    "early_stopping": True,
    "eos_token_id": 2,
    "forced_bos_token_id": 0,
    "forced_eos_token_id": 2,
    "length_penalty": 2.0,
    "max_length": 142,
    "min_length": 56,
    "no_repeat_ngram_size": 3,
    "num_beams": 4,
}


def test_the_file_counts_and_without_one_the_config(tmp_path):
    config = {"num_beams": 5, "eos_token_id": 9, "d_model": 8, "top_k": None}
    assert read_generation(tmp_path, config) == {"num_beams": 5, "eos_token_id": 9}
    (tmp_path / "generation_config.json").write_text(json.dumps({**BART_CNN, "_x": 1}))
    assert read_generation(tmp_path, config) == BART_CNN


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("eos_token_id", [1, "</s>"], "eos_token_id is .* has to be token ids"),
        ("forced_bos_token_id", -1, "has to be token ids"),
        ("num_beams", "4", "num_beams is '4'; it has to be a number"),
    ],
)
def test_settings_that_cannot_be(name, value, message, tmp_path):
    with pytest.raises(UserError, match=message):
        read_generation(tmp_path, {name: value})


def test_rules_are_kept_whatever_the_flags():
    settings = {"bad_words_ids": [[4], [5, 6], [3]], "suppress_tokens": [7], "eos_token_id": [1, 3]}
    given = Decoding(max_length=9, processors=(BlockedTokens((8,)),))
    found = with_rules(given, {**BART_CNN, **settings})
    assert found.stop_tokens == (1, 3)
    assert found.ends(None) == found.ends(1) == (1, 3)
    assert found.processors == (
        BlockedTokens((8,)),
        BlockedTokens((4,)),
        ForcedFirst(0),
        ForcedLast(2, 9),
        BlockedTokens((7,)),
    )
    assert with_rules(given, {}) == given


def test_tokens_of_the_model():
    assert with_tokens(T5, BART_CNN).tokens.start == 2
    assert with_tokens(GPT, BART_CNN).tokens.start == GPT.tokens.start
    assert with_tokens(T5, {"eos_token_id": [7, 8]}).tokens.eos == 7
    assert with_tokens(T5, {"eos_token_id": [7, T5.tokens.eos]}) == T5
    assert with_tokens(T5, {}) == T5


@pytest.mark.parametrize(
    ("model", "settings", "flags"),
    [
        (T5, {}, ""),
        (
            T5,
            BART_CNN,
            "--max_decode_length=141 --min_decode_length=55 --beams=4 --gin.Beam.stop=\"'first'\" "
            "--gin.Beam.length_penalty=@LengthPower() --gin.LengthPower.exponent=2.0 "
            "--no_repeat_ngrams=3",
        ),
        (GPT, {"max_length": 50, "max_new_tokens": 20, "top_p": 0.9}, "--max_decode_length=20"),
        (
            GPT,
            {"do_sample": True, "top_p": 0.9, "repetition_penalty": 1.1},
            "--temperature=1.0 --top_k=50 --top_p=0.9 --repetition_penalty=1.1",
        ),
    ],
)
def test_preferences_as_flags(model, settings, flags):
    assert preferred_flags(settings, model) == flags


def test_what_is_not_done_is_named():
    settings = {"bad_words_ids": [[5, 6]], "typical_p": 0.5, "num_beam_groups": 1}
    assert not_done(settings) == ["typical_p=0.5", "bad_words_ids=[[5, 6]]"]
    assert not_done(BART_CNN) == []
