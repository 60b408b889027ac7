"""What a model says about a record."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

Record = Mapping[str, Any]
"""What is asked: "inputs", and possibly "prefix" (how the output begins) and "seed"."""


@dataclasses.dataclass(frozen=True)
class Prediction:
    """One output.

    Attributes:
      text: of it.
      score: the higher the likelier, as the strategy counts.
      details: more about it, under the names that it has in JSON lines.
    """

    text: str
    score: float
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class Predicts(Protocol):
    """Whatever turns records into predictions: a text, a filled blank, a class."""

    def predict(self, records: Iterable[Record | str]) -> Iterator[Sequence[Prediction]]:
        """Yields one or more predictions for each record, in order, reading a little ahead."""
        ...
