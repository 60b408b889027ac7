"""Flags of generation, to the settings that they stand for."""

import argparse

import pytest

from t2t.commands.decoding_flags import add_decoding, decoding_of, processors_of
from t2t.commands.parser import add_gin, add_imports
from t2t.data.vocabularies import ByteVocabulary
from t2t.decoding.beam import Beam
from t2t.decoding.decoding import Decoding
from t2t.decoding.greedy import Greedy
from t2t.decoding.length_penalties import BrevityPenalty, LengthPower
from t2t.decoding.processors.allowed import AllowedTokens, BlockedTokens
from t2t.decoding.processors.forced import ForcedFirst, ForcedLast
from t2t.decoding.processors.ngrams import NoRepeatNGrams
from t2t.decoding.processors.repetition import RepetitionPenalty
from t2t.decoding.sampling import Sampling
from t2t.errors import UserError

BYTES = ByteVocabulary(extra_ids=4)


def parsed(words):
    parser = argparse.ArgumentParser()
    for add in (add_decoding, add_gin, add_imports):
        add(parser)
    return parser.parse_args(words.split())


def decoding(words, *bindings):
    return decoding_of(parsed(words), list(bindings))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", Decoding(Greedy(), max_length=64)),
        ("--max_decode_length 9 --min_decode_length 2", Decoding(max_length=9, min_length=2)),
        ("--beams 3", Decoding(Beam(3))),
        (
            "--beams 3 --num_outputs 2 --length_penalty 1",
            Decoding(Beam(3, num_returned=2, length_penalty=BrevityPenalty(1.0))),
        ),
        ("--samples 2", Decoding(Sampling(num_samples=2))),
        ("--top_k 4 --seed 5", Decoding(Sampling(top_k=4, seed=5))),
        (
            "--temperature 0.5 --top_p 0.9 --min_p 0.1 --samples 3 --distinct",
            Decoding(Sampling(0.5, top_p=0.9, min_p=0.1, num_samples=3, distinct=True)),
        ),
    ],
)
def test_flags_are_short_for_settings(words, expected):
    assert decoding(words) == expected


def test_gin_says_everything_and_flags_win(tmp_path):
    beam = ["Decoding.strategy = @Beam()", "Beam.length_penalty = @LengthPower()"]
    expected = Decoding(Beam(4, length_penalty=LengthPower(2.0)))
    assert decoding("", *beam, "LengthPower.exponent = 2.0") == expected
    (tmp_path / "search.gin").write_text("\n".join(beam))
    words = f"--gin_file=search.gin --gin_search_paths={tmp_path} --num_outputs=2"
    assert decoding(words) == Decoding(Beam(num_returned=2, length_penalty=LengthPower()))
    sampling = ["Decoding.strategy = @Sampling()", "Sampling.top_k = 3"]
    assert decoding("--seed 4 --top_k 5", *sampling) == Decoding(Sampling(top_k=5, seed=4))
    processors = [
        "Decoding.processors = (@NoRepeatNGrams(), @RepetitionPenalty())",
        "NoRepeatNGrams.n = 2",
        "RepetitionPenalty.penalty = 1.5",
    ]
    assert decoding("", *processors).processors == (NoRepeatNGrams(2), RepetitionPenalty(1.5))
    processors = [
        "Decoding.processors = (@ForcedFirst(), @ForcedLast())",
        "ForcedFirst.token = 5",
        "ForcedLast.token = 1",
    ]
    assert decoding("", *processors).processors == (ForcedFirst(5), ForcedLast(1))


def test_functions_of_a_module_of_ones_own(tmp_path, monkeypatch):
    (tmp_path / "hooks_of_mine.py").write_text(
        "import gin\n\n@gin.configurable\ndef louder(logits, history):\n    return logits * 2\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = decoding("--import=hooks_of_mine", "Decoding.processors = (@louder,)").processors
    assert [processor.__name__ for processor in found] == ["louder"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--beams 2 --temperature 0.5", "--beams is of beam search and --temperature of sampling"),
        ("--length_penalty 1 --top_k 2", "--length_penalty is of beam search and --top_k"),
        ("--num_outputs 2", "--num_outputs is of beam search: add --beams=N"),
        ("--length_penalty 2", "--length_penalty is of beam search: add --beams=N"),
        ("--seed 2", "--seed is of sampling: add --samples=N"),
        ("--distinct", "--distinct is of sampling: add --samples=N"),
        ("--beams 0", "Beam.size must be at least 1, got 0"),
        ("--beams 2 --num_outputs 3", "num_returned"),
        ("--top_p 1.5", r"top_p must be in \(0, 1\], got 1.5"),
        ("--top_p 0", r"top_p must be in \(0, 1\], got 0"),
        ("--temperature nan", "--temperature must be a finite number, got nan"),
        ("--temperature inf", "--temperature must be a finite number, got inf"),
        ("--top_p nan", "--top_p must be a finite number, got nan"),
        ("--min_p nan", "--min_p must be a finite number, got nan"),
        ("--beams 2 --length_penalty inf", "--length_penalty must be a finite number, got inf"),
        ("--samples 0", "num_samples must be at least 1, got 0"),
        ("--max_decode_length 0", "max_length must be at least 1, got 0"),
        ("--min_decode_length 99", "min_length is 99, but Decoding.max_length is 64"),
    ],
)
def test_what_cannot_be_is_refused(words, message):
    with pytest.raises(UserError, match=message):
        decoding(words)


@pytest.mark.parametrize(
    ("binding", "message"),
    [
        ("Beam.size = 3", "Beam.size is set but nothing uses Beam"),
        ("Beam.sise = 3", "no parameter 'sise'. Did you mean 'size'"),
        ("Decoding.strategy = @Beam", "write @Beam"),
        ("Decoding.strategy = @Bean()", "Did you mean 'Beam'"),
        ("Decoding.max_length = 'long'", "it must be a whole number"),
    ],
)
def test_mistakes_in_gin(binding, message):
    with pytest.raises(UserError, match=rf"(?i){message}"):
        decoding("", binding)


def test_processors_of_flags_are_in_this_order():
    words = "--blocked_tokens a <extra_id_1> --allowed_tokens yes no --no_repeat_ngrams 3"
    found = processors_of(parsed(words + " --repetition_penalty 1.2"), BYTES, eos_id=1)
    allowed = {1, *BYTES.encode("yesno")}
    assert found == (
        RepetitionPenalty(1.2),
        NoRepeatNGrams(3),
        AllowedTokens(tuple(allowed)),
        BlockedTokens((*BYTES.encode("a"), BYTES.vocab_size - 2)),
    )
    assert processors_of(parsed(""), BYTES, eos_id=1) == ()
    without_end = processors_of(parsed("--allowed_tokens a"), BYTES, eos_id=None)
    assert without_end == (AllowedTokens(tuple(BYTES.encode("a"))),)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"blocked_tokens": ["yes"]}, "--blocked_tokens: 'yes' is 3 tokens"),
        ({"allowed_tokens": [""]}, "'' has no tokens"),
    ],
)
def test_texts_that_are_no_tokens(args, message):
    flags = {"repetition_penalty": None, "no_repeat_ngrams": None}
    flags |= {"allowed_tokens": [], "blocked_tokens": []}
    with pytest.raises(UserError, match=message):
        processors_of(argparse.Namespace(**(flags | args)), BYTES, eos_id=1)
