"""Special tokens around the texts that an encoder reads."""

import dataclasses

import numpy as np

from t2t.data.features import Feature, FramedFeature, around
from t2t.decoding.reading import InputLimit
from t2t.errors import UserError
from t2t.models.definition import Model
from t2t.models.electra import Electra
from t2t.models.encoder_only import EncoderOnly


@dataclasses.dataclass(frozen=True, eq=False)
class Frame:
    """What goes around a text, and how long both may be together.

    Attributes:
      before, after: int32 tokens.
      limit: that was asked for.
      most: tokens that the model reads; None for any number.
      why: it reads no more.
    """

    before: np.ndarray
    after: np.ndarray
    limit: InputLimit
    most: int | None
    why: str

    def __post_init__(self):
        """Raises UserError if the limit, or the model, leaves no room for text."""
        asked, around = self.limit.max_length, f"{self.added} special tokens go around a text"
        if asked is not None and asked <= self.added:
            raise UserError(f"max_input_length is {asked}, but {around}; raise it.")
        if self.most is not None and self.most <= self.added:
            raise UserError(f"No text can be read: {self.why}, but {around}.")

    @property
    def added(self) -> int:
        """How many tokens it adds."""
        return len(self.before) + len(self.after)

    def around(self, text: np.ndarray, name: str) -> np.ndarray:
        """Int32 `[row]`, from the tokens of the record `name`: the first that there is room for.

        Raises:
          UserError: if they are too long and are not to be cut.
        """
        length = len(text) + self.added
        kept = self.limit.allowed(length, self.most, self.why, name, "first")
        text = text if kept is None else text[: kept - self.added]
        return np.concatenate([self.before, text, self.after])

    def inside(self, row: np.ndarray) -> np.ndarray:
        """What `around` was put around, or what there is instead of it in `[row, ...]`."""
        return row[len(self.before) : len(row) - len(self.after)]


def around_text(model: Model, inputs: Feature) -> tuple[np.ndarray, np.ndarray]:
    """int32 tokens before and after a text."""
    if isinstance(inputs, FramedFeature):
        return around(inputs)
    vocabulary, before, after = inputs.vocabulary, None, None
    if isinstance(model.config, EncoderOnly | Electra):
        before, after = vocabulary.cls_id, vocabulary.sep_id
    if after is None and inputs.add_eos:
        after = vocabulary.eos_id
    return _tokens(before), _tokens(after)


def _tokens(token: int | None) -> np.ndarray:
    return np.array([] if token is None else [token], np.int32)
