"""How to generate: a strategy, and what it has to keep to."""

import dataclasses

from t2t.decoding.greedy import Greedy
from t2t.decoding.processors import Processor
from t2t.decoding.strategy import Strategy
from t2t.errors import UserError
from t2t.models.config import at_least, at_least_one


@dataclasses.dataclass(frozen=True)
class Decoding:
    """Settings of generation, hashable.

    Attributes:
      strategy: `Greedy`, `Sampling` or `Beam`.
      max_length: most new tokens, the end of sequence included.
      min_length: fewest new tokens before the end of sequence.
      processors: what may come next and how likely it is, applied in this order before the strategy
        looks.
      stop_tokens: ids that end a sequence beside the model's end of sequence.
    """

    strategy: Strategy = Greedy()  # noqa: RUF009 (frozen)
    max_length: int = 64
    min_length: int = 0
    processors: tuple[Processor, ...] = ()
    stop_tokens: tuple[int, ...] = ()

    def __post_init__(self):
        at_least_one(self, "max_length")
        at_least(self, 0, "min_length")
        if self.min_length > self.max_length:
            raise UserError(
                f"Decoding.min_length is {self.min_length}, but Decoding.max_length is "
                f"{self.max_length}."
            )
        for name in ("processors", "stop_tokens"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # gin gives lists

    def ends(self, eos: int | None) -> tuple[int, ...]:
        """Ids that end a sequence, of a model with this end of sequence."""
        return tuple(sorted({*self.stop_tokens, *(() if eos is None else (eos,))}))
