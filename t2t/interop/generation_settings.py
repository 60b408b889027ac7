"""What Hugging Face's generation_config.json says of how a model generates."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from t2t.decoding.decoding import Decoding
from t2t.decoding.processors import Processor
from t2t.decoding.processors.allowed import BlockedTokens
from t2t.decoding.processors.forced import ForcedFirst, ForcedLast
from t2t.errors import UserError
from t2t.interop.tokenizer_files import json_object
from t2t.models.decoder_only import DecoderOnly
from t2t.models.definition import ModelConfig
from t2t.models.encoder_decoder import EncoderDecoder

Settings = Mapping[str, Any]

_STOPS = {True: "first", False: "heuristic", "never": "exact"}
_SAMPLING = ("temperature", "top_k", "top_p", "min_p")
_OTHERS = {"repetition_penalty": 1.0, "no_repeat_ngram_size": 0}
_FLAGS = {"no_repeat_ngram_size": "no_repeat_ngrams"}
# What would change the outputs and has no counterpart here, by its value that changes nothing.
_UNKNOWN: dict[str, Any] = {
    "begin_suppress_tokens": None,
    "diversity_penalty": 0.0,
    "encoder_no_repeat_ngram_size": 0,
    "encoder_repetition_penalty": 1.0,
    "epsilon_cutoff": 0.0,
    "eta_cutoff": 0.0,
    "exponential_decay_length_penalty": None,
    "num_beam_groups": 1,
    "sequence_bias": None,
    "stop_strings": None,
    "typical_p": 1.0,
}

_RULES = (
    "decoder_start_token_id",
    "eos_token_id",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "suppress_tokens",
    "bad_words_ids",
)
_PREFERENCES = (
    *("max_length", "max_new_tokens", "min_length", "min_new_tokens"),
    *("num_beams", "num_return_sequences", "early_stopping", "length_penalty", "do_sample"),
    *(*_SAMPLING, *_OTHERS, *_UNKNOWN),
)
_KNOWN = (*_RULES, *_PREFERENCES)
_FREE = ("early_stopping", *_UNKNOWN)


def read_generation(folder: Path, config: Settings) -> dict[str, Any]:
    """The settings in generation_config.json; where there is none, those of config.json.

    Raises:
      UserError: if it is no JSON object, or one of them is no number and no token that has to be.
    """
    path = folder / "generation_config.json"
    settings = json_object(path) if path.is_file() else config
    found = {name: settings[name] for name in _KNOWN if settings.get(name) is not None}
    for name, value in found.items():
        if name in _RULES:
            kind, fits = "token ids", all(isinstance(i, int) and i >= 0 for i in _flat(value))
        else:
            kind, fits = "a number", name in _FREE or isinstance(value, int | float)
        if not fits:
            raise UserError(f"In '{folder}', {name} is {value!r}; it has to be {kind}.")
    return found


def with_tokens(model: ModelConfig, settings: Settings) -> ModelConfig:
    """`model` with the start token and the end of sequence that generation uses."""
    if not isinstance(model, EncoderDecoder | DecoderOnly):
        return model
    tokens, ends = model.tokens, _ids(settings.get("eos_token_id"))
    if ends and tokens.eos not in ends:
        tokens = dataclasses.replace(tokens, eos=ends[0])
    start = settings.get("decoder_start_token_id")
    if isinstance(start, int) and isinstance(model, EncoderDecoder):
        tokens = dataclasses.replace(tokens, start=start)
    return dataclasses.replace(model, tokens=tokens)


def with_rules(decoding: Decoding, settings: Settings) -> Decoding:
    """`decoding` with what belongs to the model: other ends, tokens forced or forbidden."""
    processors: list[Processor] = []
    words, ends = settings.get("bad_words_ids") or (), _ids(settings.get("eos_token_id"))
    if blocked := tuple(w[0] for w in words if len(w) == 1 and w[0] not in ends):
        processors.append(BlockedTokens(blocked))
    if (token := settings.get("forced_bos_token_id")) is not None:
        processors.append(ForcedFirst(token))
    for token in _ids(settings.get("forced_eos_token_id"))[:1]:
        processors.append(ForcedLast(token, decoding.max_length))
    if blocked := tuple(settings.get("suppress_tokens") or ()):
        processors.append(BlockedTokens(blocked))
    return dataclasses.replace(
        decoding,
        stop_tokens=(*decoding.stop_tokens, *ends),
        processors=(*decoding.processors, *processors),
    )


def preferred_flags(settings: Settings, model: ModelConfig) -> str:
    """Flags of `t2t infer` that do what `generate()` would do by these settings; "" for none."""
    if not isinstance(model, EncoderDecoder | DecoderOnly):
        return ""
    return " ".join(_flags(settings, isinstance(model, EncoderDecoder)))


def not_done(settings: Settings) -> list[str]:
    """`name=value` of settings that change outputs and have no counterpart here."""
    names = [name for name, off in _UNKNOWN.items() if settings.get(name, off) != off]
    if any(len(word) > 1 for word in settings.get("bad_words_ids") or ()):
        names.append("bad_words_ids")
    if settings.get("do_sample") and settings.get("num_beams", 1) > 1:
        names.append("do_sample")
    return [f"{name}={settings[name]!r}" for name in names]


def _flags(settings: Settings, has_encoder: bool) -> Iterator[str]:
    for name in ("max", "min"):
        if length := settings.get(f"{name}_new_tokens"):
            yield f"--{name}_decode_length={length}"
        elif has_encoder and settings.get(f"{name}_length", 0) > 1:  # counts the start token
            yield f"--{name}_decode_length={settings[f'{name}_length'] - 1}"
    if (beams := settings.get("num_beams", 1)) > 1:
        stop = _STOPS.get(settings.get("early_stopping", False), "heuristic")
        yield f"--beams={beams} --gin.Beam.stop=\"'{stop}'\""
        yield "--gin.Beam.length_penalty=@LengthPower()"
        yield f"--gin.LengthPower.exponent={float(settings.get('length_penalty', 1.0))}"
        if (returned := settings.get("num_return_sequences", 1)) > 1:
            yield f"--num_outputs={returned}"
    elif settings.get("do_sample"):
        given = {"temperature": 1.0, "top_k": 50, **settings}  # as transformers has them
        yield from (f"--{name}={given[name]}" for name in _SAMPLING if given.get(name))
    for name, off in _OTHERS.items():
        if settings.get(name, off) != off:
            yield f"--{_FLAGS.get(name, name)}={settings[name]}"


def _flat(value: Any) -> Iterator[Any]:
    """What is in lists of lists, or the value itself."""
    if isinstance(value, list):
        for item in value:
            yield from _flat(item)
    else:
        yield value


def _ids(value: Any) -> tuple[int, ...]:
    """One id, a list of them, or none."""
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list) else (value,)
