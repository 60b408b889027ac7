"""What is to be scored: texts after inputs."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from t2t.errors import UserError, did_you_mean


class ScoringRecord(NamedTuple):
    """A text, or several to choose from.

    Attributes:
      inputs: that go before each; None for nothing.
      targets: the texts.
      ranked: whether they are candidates.
      where: the record was found, for messages.
    """

    inputs: str | None
    targets: tuple[str, ...]
    ranked: bool
    where: str


def either(record: Mapping[str, Any], where: str) -> ScoringRecord:
    """`to_rank` if there are "candidates", else `to_score`; raises UserError as they do."""
    if "candidates" in record:
        return to_rank(record, where)
    if "targets" in record:
        return to_score(record, where)
    raise UserError(
        f"{where} has neither 'targets' (a text to score) nor 'candidates' (a list of them to "
        f"rank)." + _known(record, "targets", "candidates")
    )


def to_score(record: Mapping[str, Any], where: str) -> ScoringRecord:
    """A record's "targets", and its "inputs"; raises UserError unless they are strings."""
    if "targets" not in record:
        raise UserError(f"{where} has no 'targets' to score." + _known(record, "targets"))
    targets = record["targets"]
    if not isinstance(targets, str):
        raise UserError(
            f"{where}: 'targets' is {_short(targets)}; it must be a string. Several texts to "
            f"choose from are 'candidates'."
        )
    return ScoringRecord(_inputs(record, where), (targets,), False, where)


def to_rank(record: Mapping[str, Any], where: str) -> ScoringRecord:
    """A record's "candidates", and its "inputs".

    Raises:
      UserError: unless they are strings, one or more, and none twice.
    """
    if "candidates" not in record:
        raise UserError(f"{where} has no 'candidates' to rank." + _known(record, "candidates"))
    candidates = _candidates(record["candidates"], where)
    return ScoringRecord(_inputs(record, where), candidates, True, where)


def _inputs(record: Mapping[str, Any], where: str) -> str | None:
    inputs = record.get("inputs")
    if not isinstance(inputs, str | None):
        raise UserError(f"{where}: 'inputs' is {_short(inputs)}; it must be a string.")
    return inputs


def _known(record: Mapping[str, Any], *expected: str) -> str:
    """What there is instead, and what it may be meant for."""
    fields = ", ".join(map(repr, record)) or "nothing"
    return f" It has {fields}." + "".join(did_you_mean(name, expected) for name in record)


def _candidates(given: Any, where: str) -> tuple[str, ...]:
    if not isinstance(given, list | tuple):
        raise UserError(f"{where}: 'candidates' is {_short(given)}; it must be a list of strings.")
    if not given:
        raise UserError(f"{where}: 'candidates' is empty; give at least one text to choose.")
    for candidate in given:
        if not isinstance(candidate, str):
            raise UserError(f"{where}: the candidate {_short(candidate)} is no string.")
    twice = next((text for i, text in enumerate(given) if text in given[:i]), None)
    if twice is not None:
        raise UserError(f"{where}: the candidate {_short(twice)} is there twice.")
    return tuple(given)


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
