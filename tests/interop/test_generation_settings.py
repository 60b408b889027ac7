import argparse
import dataclasses
import json
import subprocess

import pytest

from t2t import config
from t2t.commands.decoding_flags import add_decoding, decoding_of
from t2t.commands.parser import add_gin, add_imports
from t2t.decoding.beam import Beam
from t2t.decoding.decoding import Decoding
from t2t.decoding.length_penalties import LengthPower
from t2t.decoding.processors.allowed import BlockedTokens
from t2t.decoding.processors.forced import ForcedFirst, ForcedLast
from t2t.decoding.sampling import Sampling
from t2t.errors import UserError
from t2t.interop.generation_settings import (
    not_done,
    preferred_flags,
    read_generation,
    rules_gin,
    with_rules,
    with_tokens,
)
from t2t.models.encoder_only import EncoderOnly
from tests.decoding.numbers import VOCAB, stack
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
        ("decoder_start_token_id", [2], "a token id"),
        ("eos_token_id", [1, "</s>"], "a token id or a list of token ids"),
        ("eos_token_id", [[1]], "a token id or a list of token ids"),
        ("eos_token_id", True, "a token id or a list of token ids"),
        ("forced_bos_token_id", -1, "a token id"),
        ("forced_bos_token_id", [5], "a token id"),
        ("forced_eos_token_id", {"id": 5}, "a token id or a list of token ids"),
        ("suppress_tokens", 5, "a list of token ids"),
        ("suppress_tokens", [[5]], "a list of token ids"),
        ("bad_words_ids", 5, "a list of lists of token ids"),
        ("bad_words_ids", [5], "a list of lists of token ids"),
        ("bad_words_ids", [[5.0]], "a list of lists of token ids"),
        ("num_beams", "4", "a number"),
        ("early_stopping", [True], "true, false or 'never'"),
        ("early_stopping", "ever", "true, false or 'never'"),
    ],
)
def test_settings_that_cannot_be(name, value, message, tmp_path):
    def check(file):
        with pytest.raises(UserError) as raised:
            read_generation(tmp_path, {name: value})
        told = f"In '{tmp_path / file}', {name} is {value!r}; it has to be {message}."
        assert str(raised.value) == told

    check("config.json")
    (tmp_path / "generation_config.json").write_text(json.dumps({name: value}))
    check("generation_config.json")


def test_settings_of_every_kind_that_can_be(tmp_path):
    settings = {
        "decoder_start_token_id": 0,
        "eos_token_id": [1, 2],
        "forced_bos_token_id": 3,
        "forced_eos_token_id": [4],
        "suppress_tokens": [],
        "bad_words_ids": [[5], [6, 7]],
        "early_stopping": "never",
        "length_penalty": 0.5,
    }
    assert read_generation(tmp_path, settings) == settings


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
        ForcedLast(2),
        BlockedTokens((7,)),
    )
    assert with_rules(given, {}) == given


def test_rules_as_gin(tmp_path):
    settings = {
        "bad_words_ids": [[4]],
        "eos_token_id": [1, 3],
        "forced_bos_token_id": 0,
        "forced_eos_token_id": 1,
        "num_beams": 4,
        "suppress_tokens": [7, 8],
    }
    file = tmp_path / "generation.gin"
    file.write_text(rules_gin(settings, T5))
    config.load([str(file)], ["Decoding.max_length = 9"], configurables=config.DECODING)
    rules = with_rules(Decoding(max_length=9), settings)
    assert len(rules.processors) == 4
    assert config.made(Decoding) == dataclasses.replace(rules, stop_tokens=(3,))
    assert rules_gin({"eos_token_id": T5.tokens.eos, "num_beams": 4}, T5) == ""
    assert rules_gin(settings, EncoderOnly(VOCAB, stack())) == ""


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
            "--gin.Beam.length_penalty='@LengthPower()' --gin.LengthPower.exponent=2.0 "
            "--no_repeat_ngrams=3",
        ),
        (GPT, {"max_length": 50, "max_new_tokens": 20, "top_p": 0.9}, "--max_decode_length=20"),
        (
            GPT,
            {"do_sample": True, "top_p": 0.9, "repetition_penalty": 1.1},
            "--temperature=1.0 --top_k=50 --top_p=0.9 --repetition_penalty=1.1",
        ),
        (
            GPT,
            {"do_sample": True, "num_return_sequences": 3},
            "--temperature=1.0 --top_k=50 --samples=3",
        ),
    ],
)
def test_preferences_as_flags(model, settings, flags):
    assert preferred_flags(settings, model) == flags


@pytest.mark.parametrize(
    ("settings", "strategy"),
    [
        (
            {"num_beams": 4, "num_return_sequences": 2, "early_stopping": "never"},
            Beam(4, 2, LengthPower(1.0), "exact"),
        ),
        (
            {"do_sample": True, "num_return_sequences": 3, "min_p": 0.1},
            Sampling(1.0, top_k=50, min_p=0.1, num_samples=3),
        ),
    ],
)
def test_flags_can_be_pasted_into_a_shell(settings, strategy):
    shell = 'printf "%s\\n" ' + preferred_flags(settings, T5)
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True)
    flags = done.stdout.splitlines()
    bindings = [flag.removeprefix("--gin.") for flag in flags if flag.startswith("--gin.")]
    parser = argparse.ArgumentParser()
    for add in (add_decoding, add_gin, add_imports):
        add(parser)
    args = parser.parse_args([flag for flag in flags if not flag.startswith("--gin.")])
    assert decoding_of(args, bindings).strategy == strategy


def test_what_is_not_done_is_named():
    settings = {"bad_words_ids": [[5, 6]], "typical_p": 0.5, "num_beam_groups": 1}
    assert not_done(settings) == ["typical_p=0.5", "bad_words_ids=[[5, 6]]"]
    settings = {"guidance_scale": 1.5, "renormalize_logits": True, "penalty_alpha": 0.6}
    assert not_done({**settings, "top_h": 0.4, "force_words_ids": [[7]]}) == [
        "force_words_ids=[[7]]",
        "guidance_scale=1.5",
        "penalty_alpha=0.6",
        "renormalize_logits=True",
        "top_h=0.4",
    ]
    assert not_done({"guidance_scale": 1, "renormalize_logits": False}) == []
    assert not_done(BART_CNN) == []
