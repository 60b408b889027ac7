"""What each preprocessor changed, field by field."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from t2t.reporting.inspection.traces import Stage

EXAMPLES_SHOWN = 3


class Change(NamedTuple):
    """One example after a stage.

    Attributes:
      stage: name of the stage.
      fields: those that are new or changed, with their values.
      note: how many examples there are, if not one; fields that went away; or "".
    """

    stage: str
    fields: Sequence[tuple[str, Any]]
    note: str


def changes(stages: Sequence[Stage]) -> Iterator[Change]:
    """Compares each stage with the one before; of several examples the first few are shown."""
    given: Sequence[Mapping[str, Any]] = [{}]
    for stage in stages:
        count = len(stage.examples)
        for number, example in enumerate(stage.examples[:EXAMPLES_SHOWN], 1):
            before = given[number - 1] if len(given) == count else given[0]
            fields = [(n, v) for n, v in example.items() if not _same(before.get(n, _NONE), v)]
            gone = [name for name in before if name not in example]
            notes = [f"{number} of {count} examples"] if count > 1 else []
            notes += [f"without {', '.join(gone)}"] if gone else []
            yield Change(stage.name, fields, "; ".join(notes) or ("" if fields else "unchanged"))
        if not count:
            yield Change(stage.name, [], "nothing is left")
        given = stage.examples or [{}]


def text_of(example: Mapping[str, Any], name: str) -> Any:
    """What is tokenised, or was by a preprocessor that keeps the text; else the tokens."""
    value = example[name]
    return value if isinstance(value, str) else example.get(f"{name}_pretokenized", value)


def short(value: object, limit: int = 300) -> str:
    """`repr`, of strings and all else, cut to `limit` characters."""
    text = repr(value) if not isinstance(value, np.ndarray) else repr(value.tolist())
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"


_NONE = object()


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return one is not _NONE and np.array_equal(one, other)
    try:
        return bool(one == other)
    except ValueError:  # lists of arrays
        return False
