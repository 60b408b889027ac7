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
from t2t.models.serialization import to_gin

Settings = Mapping[str, Any]

_STOPS = {True: "first", False: "heuristic", "never": "exact"}
_SAMPLING = ("temperature", "top_k", "top_p", "min_p")
_OTHERS = {"repetition_penalty": 1.0, "no_repeat_ngram_size": 0}
_FLAGS = {"no_repeat_ngram_size": "no_repeat_ngrams"}
# All else that would change the outputs, none of it done here; by its value that changes nothing.
_UNKNOWN: dict[str, Any] = {
    "begin_suppress_tokens": None,
    "constraints": None,
    "diversity_penalty": 0.0,
    "dola_layers": None,
    "encoder_no_repeat_ngram_size": 0,
    "encoder_repetition_penalty": 1.0,
    "epsilon_cutoff": 0.0,
    "eta_cutoff": 0.0,
    "exponential_decay_length_penalty": None,
    "force_words_ids": None,
    "guidance_scale": 1.0,
    "max_time": None,
    "num_beam_groups": 1,
    "penalty_alpha": 0.0,
    "remove_invalid_values": False,
    "renormalize_logits": False,
    "sequence_bias": None,
    "stop_strings": None,
    "token_healing": False,
    "top_h": None,
    "typical_p": 1.0,
    "watermarking_config": None,
}

# How deep token ids may stand in lists.
_DEPTHS = ("a token id", "a list of token ids", "a list of lists of token ids")
_RULES = {
    "decoder_start_token_id": (0,),
    "eos_token_id": (0, 1),
    "forced_bos_token_id": (0,),
    "forced_eos_token_id": (0, 1),
    "suppress_tokens": (1,),
    "bad_words_ids": (2,),
}
_PREFERENCES = (
    *("max_length", "max_new_tokens", "min_length", "min_new_tokens"),
    *("num_beams", "num_return_sequences", "early_stopping", "length_penalty", "do_sample"),
    *(*_SAMPLING, *_OTHERS, *_UNKNOWN),
)
_KNOWN = (*_RULES, *_PREFERENCES)


def read_generation(folder: Path, config: Settings) -> dict[str, Any]:
    """The settings in generation_config.json; where there is none, those of config.json.

    Raises:
      UserError: if it is no JSON object, or one of them is not of its kind.
    """
    path = folder / "generation_config.json"
    settings = json_object(path) if path.is_file() else config
    where = path if path.is_file() else folder / "config.json"
    found = {name: settings[name] for name in _KNOWN if settings.get(name) is not None}
    for name, value in found.items():
        if name in _RULES:
            kind = " or ".join(_DEPTHS[depth] for depth in _RULES[name])
            fits = any(_are_ids(value, depth) for depth in _RULES[name])
        elif name == "early_stopping":
            kind, fits = "true, false or 'never'", value in list(_STOPS)
        else:
            kind, fits = "a number", name in _UNKNOWN or isinstance(value, int | float)
        if not fits:
            raise UserError(f"In '{where}', {name} is {value!r}; it has to be {kind}.")
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
        processors.append(ForcedLast(token))
    if blocked := tuple(settings.get("suppress_tokens") or ()):
        processors.append(BlockedTokens(blocked))
    return dataclasses.replace(
        decoding,
        stop_tokens=(*decoding.stop_tokens, *ends),
        processors=(*decoding.processors, *processors),
    )


def rules_gin(settings: Settings, model: ModelConfig) -> str:
    """Bindings of `Decoding` that do what `with_rules` does for `model`; "" for none."""
    if not isinstance(model, EncoderDecoder | DecoderOnly):
        return ""
    rules = with_rules(Decoding(), settings)
    stops = tuple(token for token in rules.stop_tokens if token != model.tokens.eos)
    return to_gin(dataclasses.replace(rules, stop_tokens=stops), macro=None)


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
    returned = settings.get("num_return_sequences", 1)
    if (beams := settings.get("num_beams", 1)) > 1:
        stop = _STOPS[settings.get("early_stopping", False)]
        yield f"--beams={beams} --gin.Beam.stop=\"'{stop}'\""
        yield "--gin.Beam.length_penalty='@LengthPower()'"
        yield f"--gin.LengthPower.exponent={float(settings.get('length_penalty', 1.0))}"
        if returned > 1:
            yield f"--num_outputs={returned}"
    elif settings.get("do_sample"):
        given = {"temperature": 1.0, "top_k": 50, **settings}  # as transformers has them
        yield from (f"--{name}={given[name]}" for name in _SAMPLING if given.get(name))
        if returned > 1:
            yield f"--samples={returned}"
    for name, off in _OTHERS.items():
        if settings.get(name, off) != off:
            yield f"--{_FLAGS.get(name, name)}={settings[name]}"


def _are_ids(value: Any, depth: int) -> bool:
    """Whether it is a token id, or a list of them, or of such lists, `depth` deep."""
    if depth:
        return isinstance(value, list) and all(_are_ids(item, depth - 1) for item in value)
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _ids(value: Any) -> tuple[int, ...]:
    """One id, a list of them, or none."""
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list) else (value,)
