"""Does a value fit a type annotation? For the few annotations that configurable arguments have.

No library, since a training step has to run where only JAX, Flax, Optax, NumPy and gin are.
"""

import collections.abc
import types
import typing
from typing import Any


def matches(value: Any, annotation: Any) -> bool:
    """Whether `value` is of the annotated type; an int passes for a float, a bool for neither."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is Any:
        return True
    if origin in (typing.Union, types.UnionType):
        return any(matches(value, option) for option in arguments)
    if annotation is None or annotation is type(None):
        return value is None
    if annotation in (int, float):
        numbers = (int, float) if annotation is float else (int,)
        return isinstance(value, numbers) and not isinstance(value, bool)
    if origin is collections.abc.Callable:
        return callable(value)
    if isinstance(origin, type) and issubclass(origin, collections.abc.Mapping):
        key, item = arguments
        return isinstance(value, collections.abc.Mapping) and all(
            matches(k, key) and matches(v, item) for k, v in value.items()
        )
    if origin in (tuple, list, collections.abc.Sequence):
        return isinstance(value, (tuple, list)) and all(matches(v, arguments[0]) for v in value)
    if isinstance(annotation, type):
        protocol = getattr(annotation, "_is_protocol", False)
        return callable(value) if protocol else isinstance(value, annotation)
    return True


def describe(annotation: Any) -> str:
    """The annotation in words: "a whole number", "a string or None"."""
    words = {int: "a whole number", float: "a number", str: "a string", bool: "True or False"}
    options = typing.get_args(annotation)
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return " or ".join(describe(option) for option in options)
    if annotation is type(None):
        return "None"
    if annotation in words:
        return words[annotation]
    origin = typing.get_origin(annotation)
    if origin is not None and issubclass(origin, collections.abc.Mapping):
        return f"a dict of {describe(options[0])} to {describe(options[1])}"
    if origin in (tuple, list, collections.abc.Sequence):
        return f"a tuple of {describe(options[0])} each"
    if origin is collections.abc.Callable:
        return "a function, as in @NAME()"
    name = getattr(annotation, "__name__", str(annotation))
    return f"{'an' if name[0] in 'AEIO' else 'a'} {name}"
