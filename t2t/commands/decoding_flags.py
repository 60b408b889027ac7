"""Flags that say how to generate; they are short for gin bindings, which say all of it."""

import argparse
import dataclasses
import math
from typing import TYPE_CHECKING, Any

from t2t.errors import UserError

if TYPE_CHECKING:
    from t2t.data.vocabularies import Vocabulary
    from t2t.decoding.decoding import Decoding
    from t2t.decoding.processors import Processor

_BEAM = {"beams": "Beam.size", "num_outputs": "Beam.num_returned"}
_SAMPLING = {
    "temperature": "Sampling.temperature",
    "top_k": "Sampling.top_k",
    "top_p": "Sampling.top_p",
    "min_p": "Sampling.min_p",
    "samples": "Sampling.num_samples",
    "distinct": "Sampling.distinct",
    "seed": "Sampling.seed",
}
_LENGTHS = {"max_decode_length": "Decoding.max_length", "min_decode_length": "Decoding.min_length"}


def add_decoding(command: argparse.ArgumentParser) -> None:
    """All of them."""

    def add(name: str, kind: Any, metavar: str, text: str) -> None:
        command.add_argument(f"--{name}", type=kind, metavar=metavar, help=text)

    add("max_decode_length", int, "N", "most tokens to generate (default: 64)")
    add("min_decode_length", int, "N", "fewest tokens before the output may end")
    add("beams", int, "N", "beam search with so many hypotheses")
    add("num_outputs", int, "N", "the best so many of the beams (default: 1)")
    add("length_penalty", float, "ALPHA", "of beams: divide by ((5 + length) / 6) ** ALPHA "
        "(default: 0.6)")  # fmt: skip
    add("temperature", float, "T", "sample, from logits divided by T")
    add("top_k", int, "K", "sample from the K likeliest tokens")
    add("top_p", float, "P", "sample from the likeliest tokens that have probability P together")
    add("min_p", float, "P", "sample from tokens at least P times as likely as the likeliest")
    add("samples", int, "N", "sample so many outputs of each input (default: 1)")
    command.add_argument("--distinct", action="store_true", help="samples differ from each other")
    add("seed", int, "N", "of sampling (default: 0)")
    add("repetition_penalty", float, "X", "make what is there already less likely: above 1")
    add("no_repeat_ngrams", int, "N", "no sequence of N tokens comes twice")
    for name, what in (("allowed", "generate nothing but"), ("blocked", "never generate")):
        command.add_argument(
            f"--{name}_tokens",
            nargs="+",
            default=[],
            metavar="TEXT",
            help=f"{what} the tokens of these texts",
        )


def decoding_of(args: argparse.Namespace, bindings: list[str]) -> "Decoding":
    """What flags and the gin of --gin_file and --gin.… say, but for `processors_of`.

    Raises:
      UserError: flags contradict each other, or have values that cannot be.
    """
    from t2t import config
    from t2t.decoding.decoding import Decoding

    bindings = [*bindings, *_bindings(args, has_gin=bool(args.gin_file or bindings))]
    search_paths = [path for path in args.gin_search_paths.split(",") if path]
    config.load(args.gin_file, bindings, search_paths, args.imports, config.DECODING)
    return config.made(Decoding)


def over(base: "Decoding | None", args: argparse.Namespace, given: "Decoding") -> "Decoding":
    """`given` by flags, without gin; what they leave open is as in `base`, if there is one."""
    if base is None:
        return given
    lengths = {
        name: getattr(given, name)
        for flag, name in (("max_decode_length", "max_length"), ("min_decode_length", "min_length"))
        if getattr(args, flag) is not None
    }
    chosen = ("length_penalty", *_BEAM, *_SAMPLING)
    if any(getattr(args, flag) not in (None, False) for flag in chosen):
        lengths["strategy"] = given.strategy
    return dataclasses.replace(base, **lengths)


def _bindings(args: argparse.Namespace, has_gin: bool) -> list[str]:
    def given(flags: dict[str, str]) -> dict[str, str]:
        values = {flag: getattr(args, flag) for flag in flags}
        return {flag: flags[flag] for flag, x in values.items() if x is not None and x is not False}

    for flag in ("length_penalty", *_SAMPLING):
        value = getattr(args, flag)
        if isinstance(value, float) and not math.isfinite(value):  # gin has no name for it
            raise UserError(f"--{flag} must be a finite number, got {value}.")

    beam, sampling = given(_BEAM), given(_SAMPLING)
    if args.length_penalty is not None:
        beam["length_penalty"] = "BrevityPenalty.alpha"
    if beam and sampling:
        raise UserError(
            f"--{next(iter(beam))} is of beam search and --{next(iter(sampling))} of sampling; "
            f"leave one of them out. Several outputs that differ: --samples=N --distinct."
        )
    if beam and "beams" not in beam and not has_gin:
        raise UserError(f"--{next(iter(beam))} is of beam search: add --beams=N.")
    if sampling and not has_gin and set(sampling) <= {"distinct", "seed"}:
        raise UserError(f"--{next(iter(sampling))} is of sampling: add --samples=N.")
    bindings = []
    if "beams" in beam:
        bindings.append("Decoding.strategy = @Beam()")
    elif set(sampling) - {"distinct", "seed"}:
        bindings.append("Decoding.strategy = @Sampling()")
    if "length_penalty" in beam:
        bindings.append("Beam.length_penalty = @BrevityPenalty()")
    every = beam | sampling | given(_LENGTHS)
    return bindings + [f"{name} = {getattr(args, flag)!r}" for flag, name in every.items()]


def asks_for_processors(args: argparse.Namespace) -> bool:
    """Whether there are any of `processors_of`."""
    given = (args.repetition_penalty, args.no_repeat_ngrams)
    return any(x is not None for x in given) or bool(args.allowed_tokens or args.blocked_tokens)


def processors_of(
    args: argparse.Namespace, vocabulary: "Vocabulary", eos_id: int | None
) -> tuple["Processor", ...]:
    """Those that flags ask for, to be applied after those of gin.

    Args:
      args: with the flags.
      vocabulary: of the outputs.
      eos_id: what ends them, which is always allowed.

    Raises:
      UserError: flags have values that cannot be.
    """
    from t2t.decoding.processors.allowed import AllowedTokens, BlockedTokens
    from t2t.decoding.processors.ngrams import NoRepeatNGrams
    from t2t.decoding.processors.repetition import RepetitionPenalty

    processors: list[Processor] = []
    if args.repetition_penalty is not None:
        processors.append(RepetitionPenalty(args.repetition_penalty))
    if args.no_repeat_ngrams is not None:
        processors.append(NoRepeatNGrams(args.no_repeat_ngrams))
    if args.allowed_tokens:
        ids = {i for text in args.allowed_tokens for i in _ids(text, vocabulary)}
        processors.append(AllowedTokens(tuple(ids | ({eos_id} if eos_id is not None else set()))))
    if args.blocked_tokens:
        blocked = [_ids(text, vocabulary) for text in args.blocked_tokens]
        for text, ids_of_text in zip(args.blocked_tokens, blocked, strict=True):
            if len(ids_of_text) > 1:
                raise UserError(
                    f"--blocked_tokens: '{text}' is {len(ids_of_text)} tokens, which other texts "
                    f"have, too; name texts of one token."
                )
        processors.append(BlockedTokens(tuple(ids[0] for ids in blocked)))
    return tuple(processors)


def _ids(text: str, vocabulary: "Vocabulary") -> list[int]:
    """The tokens of a text, or the one with such a name, like "<extra_id_0>"."""
    named = vocabulary.token_id(text)
    ids = vocabulary.encode(text) if named is None else [named]
    if not ids:
        raise UserError(f"--allowed_tokens and --blocked_tokens: '{text}' has no tokens.")
    return ids
