"""Preprocessed examples to token arrays."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from t2t.data.features import Feature, SequenceLength, append_eos_after_trim
from t2t.data.sources import Example
from t2t.errors import UserError


@dataclasses.dataclass(frozen=True)
class TokenDict:
    """Token arrays of one example, and which of them still lack their end of sequence."""

    arrays: dict[str, np.ndarray]
    without_end: frozenset[str]


def tokenize(
    examples: Sequence[Example],
    features: Mapping[str, Feature],
    sequence_length: SequenceLength | None = None,
) -> list[dict[str, np.ndarray]]:
    """Makes token arrays of the output features; other fields are left out.

    Strings are encoded, cut to the sequence length, and get their end of sequence, which is never
    cut. Arrays, from preprocessors that tokenise, are only cut.

    Args:
      examples: with a string or an array for every required feature.
      features: by name.
      sequence_length: tokens per feature; None neither cuts nor ends anything.

    Raises:
      UserError: if an array has another dtype or rank than its feature, or ids that are not in its
        vocabulary.
    """
    encoded = encode(examples, features)
    if sequence_length is None:
        return [example.arrays for example in encoded]
    return [trim(example, features, sequence_length) for example in encoded]


def encode(examples: Sequence[Example], features: Mapping[str, Feature]) -> list[TokenDict]:
    """`tokenize`, uncut, without the ends of sequence, remembering which lack them."""
    arrays: list[dict[str, np.ndarray]] = [{} for _ in examples]
    without_end: list[set[str]] = [set() for _ in examples]
    for name, feature in features.items():
        places = [i for i, example in enumerate(examples) if isinstance(example.get(name), str)]
        texts = [examples[i][name] for i in places]
        for i, tokens in zip(places, feature.vocabulary.encode_batch(texts), strict=True):
            arrays[i][name] = tokens
            without_end[i].add(name)
        if len(places) < len(examples):
            for i, example in enumerate(examples):
                if name in example and name not in arrays[i]:
                    arrays[i][name] = _checked(name, example[name], feature)
    return [
        TokenDict(tokens, frozenset(names))
        for tokens, names in zip(arrays, without_end, strict=True)
    ]


def trim(
    example: TokenDict, features: Mapping[str, Feature], sequence_length: SequenceLength
) -> dict[str, np.ndarray]:
    """Cuts features to their lengths, if they have one; ends those that lack their end."""
    return {
        name: append_eos_after_trim(tokens, features[name], sequence_length.get(name))
        if name in example.without_end
        else _cut(tokens, sequence_length.get(name))
        for name, tokens in example.arrays.items()
    }


def _cut(tokens: np.ndarray, length: Any) -> np.ndarray:
    """Cuts the first axis, or with several lengths every axis; None does not cut."""
    lengths = length if isinstance(length, tuple | list) else (length,)
    return tokens[tuple(slice(n) for n in lengths)]


def _checked(name: str, value: Any, feature: Feature) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise UserError(
            f"feature '{name}' holds lists of several lengths; it must be "
            f"{feature.dtype}, rank {feature.rank}."
        ) from error
    if array.size == 0:
        array = array.astype(feature.dtype)
    kind = np.dtype(feature.dtype).kind
    if array.ndim != feature.rank or array.dtype.kind not in (kind, "u" if kind == "i" else kind):
        raise UserError(
            f"feature '{name}' is an array of {array.dtype}, rank {array.ndim}; it must be "
            f"{feature.dtype}, rank {feature.rank}."
        )
    size = feature.vocabulary.vocab_size
    if size and kind == "i" and array.size and not 0 <= array.min() <= array.max() < size:
        raise UserError(
            f"feature '{name}' has ids from {array.min()} to {array.max()}; its vocabulary has "
            f"0 to {size - 1}."
        )
    return array.astype(feature.dtype)
