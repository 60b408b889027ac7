"""What a model says about a record."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

Record = Mapping[str, Any]
"""What is asked: "inputs", and possibly "prefix" (how the output begins) and "seed"."""


class Numbered(NamedTuple):
    """A record, and its number in the stream, from 0."""

    number: int
    record: Record

    @property
    def name(self) -> str:
        """For messages; counts from 1."""
        return f"Record {self.number + 1}"


Asked = Record | str | Numbered
"""A record, its inputs alone, or one that has a number already."""


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


@dataclasses.dataclass
class Throughput:
    """What was done, and how long it took.

    Attributes:
      records: that have their predictions.
      tokens: generated, scored or read, ends of sequence included; a head counts none.
      seconds: for that, without waiting for records and without compilation.
      compile_seconds: for compilation.
      compilations: how many.
      verb: what was done to the tokens.
    """

    records: int = 0
    tokens: int = 0
    seconds: float = 0.0
    compile_seconds: float = 0.0
    compilations: int = 0
    verb: str = "generated"

    def describe(self) -> str:
        """One line for people."""
        seconds = max(self.seconds, 1e-9)
        rate = f", {self.tokens / seconds:,.0f} {self.verb} tokens/s" if self.tokens else ""
        return (
            f"{self.records:,} records in {self.seconds:.1f} s: {self.records / seconds:,.1f} "
            f"records/s{rate} (besides {self.compile_seconds:.1f} s to compile for "
            f"{self.compilations} shapes)"
        )


class Predicts(Protocol):
    """Whatever turns records into predictions: a text, a filled blank, a class."""

    @property
    def throughput(self) -> Throughput:
        """Of all calls up to now."""
        ...

    def predict(self, records: Iterable[Asked]) -> Iterator[Sequence[Prediction]]:
        """Yields one or more predictions for each record, in order, reading a little ahead."""
        ...
