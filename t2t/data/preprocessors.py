"""Plain functions from one example to one example: raw fields in, `inputs` and `targets` out.

A preprocessor may ask for more by naming an argument: `rng` (a NumPy generator that depends only on
the seed, the epoch and the example).
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from t2t.data.sources import Example
from t2t.errors import UserError, did_you_mean

Preprocessor = Callable[..., Example]


def rekey(key_map: Mapping[str, str | None]) -> Preprocessor:
    """`{new: old}` renames fields; None or "" gives an empty string; other fields are dropped."""

    def apply(example: Example) -> Example:
        return {new: _field(example, old) if old else "" for new, old in key_map.items()}

    return apply


def text_to_text(inputs_format: str, targets_format: str) -> Preprocessor:
    """Fills two templates: `text_to_text("correct: {wrong}", "{right}")`; keeps all fields."""

    def apply(example: Example) -> Example:
        inputs, targets = (_fill(template, example) for template in (inputs_format, targets_format))
        return {**example, "inputs": inputs, "targets": targets}

    return apply


def _fill(template: str, example: Example) -> str:
    try:
        return template.format(**example)
    except KeyError as error:
        hint = did_you_mean(str(error.args[0]), example)
        raise UserError(
            f"The template {template!r} asks for the field {error}; an example has only "
            f"{', '.join(map(repr, example))}.{hint}"
        ) from error
    except (ValueError, IndexError, AttributeError, TypeError) as error:
        raise UserError(f"The template {template!r} cannot be filled in: {error}.") from error


def _field(example: Example, name: str) -> Any:
    if name not in example:
        raise UserError(
            f"An example has no field '{name}', only {', '.join(map(repr, example))}."
            + did_you_mean(name, example)
        )
    return example[name]


def apply_preprocessors(
    preprocessors: tuple[Preprocessor, ...], example: Example, rng: np.random.Generator
) -> Example:
    """Runs the chain on one example."""
    for preprocessor in preprocessors:
        wants_rng = "rng" in _argument_names(preprocessor)
        example = preprocessor(example, rng=rng) if wants_rng else preprocessor(example)
        if not isinstance(example, Mapping):
            name = getattr(preprocessor, "__qualname__", repr(preprocessor))
            raise UserError(f"Preprocessor {name} returned {type(example).__name__}, not a dict.")
    return example


@functools.lru_cache(maxsize=1024)
def _argument_names(preprocessor: Preprocessor) -> frozenset[str]:
    return frozenset(inspect.signature(preprocessor).parameters)
