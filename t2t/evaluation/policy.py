"""When and on what to evaluate."""

import dataclasses

from t2t.data.features import SequenceLength
from t2t.decoding.decoding import Decoding
from t2t.errors import UserError


@dataclasses.dataclass(frozen=True)
class EvalPolicy:
    """When and on what to evaluate.

    Attributes:
      every: training steps between evaluations; the last step is always evaluated.
      split: of each task; tasks without it are left out.
      num_examples: at most this many per task, evenly spread over the split; None for all.
      batch_size: rows at a time.
      decoding: how to generate; None for greedily.
      max_decode_length: most tokens to generate; None for as many as `decoding` says or, without
        it, the targets' sequence length.
    """

    every: int = 1000
    split: str = "validation"
    num_examples: int | None = 1000
    batch_size: int = 128
    max_decode_length: int | None = None
    decoding: Decoding | None = None

    def __post_init__(self):
        for name in ("every", "num_examples", "batch_size", "max_decode_length"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"EvalPolicy.{name} must be at least 1, got {value}.")

    def decoding_of(self, sequence_length: SequenceLength) -> Decoding:
        """How to generate for tasks of these lengths."""
        if self.decoding is None:
            return Decoding(max_length=self.max_decode_length or sequence_length.get("targets", 1))
        length = self.max_decode_length or self.decoding.max_length
        return dataclasses.replace(self.decoding, max_length=length)
