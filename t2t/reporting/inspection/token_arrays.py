"""The arrays that the model side of a trace consists of, in the order to show them."""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np

from t2t.data.vocabularies import Vocabulary
from t2t.reporting.inspection.traces import ModelExample

_TOKENS_OF = {
    "encoder_input_tokens": "inputs",
    "encoder_target_tokens": "targets",
    "decoder_input_tokens": "targets",
    "decoder_target_tokens": "targets",
}


@dataclasses.dataclass(frozen=True)
class TokenArray:
    """One array.

    Attributes:
      group: "segment" (what an objective is given), "tokens" or "row" (of a batch).
      name: of the feature or of the converter's array.
      values: `[length]`.
      used: how many of them come before padding.
      vocabulary: None for what is not tokens.
      noise: bool like `values`, what the objective took out or changed; None elsewhere.
      weights: int like `values`, the loss weights; None for what has no loss.
    """

    group: str
    name: str
    values: np.ndarray
    used: int
    vocabulary: Vocabulary | None
    noise: np.ndarray | None = None
    weights: np.ndarray | None = None


def arrays_of(made: ModelExample, vocabularies: Mapping[str, Vocabulary]) -> Iterator[TokenArray]:
    """The segment if there is one, the token features, and the row of the batch."""
    if made.segment is not None:
        size = len(made.segment)
        yield TokenArray(
            "segment", "targets", made.segment, size, vocabularies["targets"], made.noise
        )
    for name, values in made.features.items():
        vocabulary = vocabularies.get(name) if _is_tokens(values) else None
        yield TokenArray("tokens", name, values, len(values), vocabulary)
    for name in sorted(made.row, key=_place):
        values = made.row[name]
        side = name.split("_")[0]
        vocabulary = vocabularies.get(_TOKENS_OF.get(name, name))
        weights = made.row.get(f"{side}_loss_weights") if name.endswith("target_tokens") else None
        kinds = ("target_tokens", "input_tokens")
        beside = (made.row[f"{side}_{kind}"] for kind in kinds if f"{side}_{kind}" in made.row)
        tokens = values if vocabulary else next(beside, values)
        filled = np.flatnonzero(tokens[: len(values)])
        used = int(filled[-1]) + 1 if len(filled) else 0
        yield TokenArray("row", name, values, used, vocabulary, None, weights)


def _place(name: str) -> int:
    """Tokens first, the encoder's before the decoder's, inputs before targets."""
    return list(_TOKENS_OF).index(name) if name in _TOKENS_OF else len(_TOKENS_OF)


def _is_tokens(values: np.ndarray) -> bool:
    return values.ndim == 1 and values.dtype.kind in "iu"
