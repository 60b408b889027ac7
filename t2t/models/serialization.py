"""Configurations as JSON and as gin text, and back.

Any frozen dataclass of this package will do, nested in others and in tuples, and in JSON those of
modules elsewhere on Python's path, too.
"""

import dataclasses
import functools
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any

from t2t.errors import UserError, described, did_you_mean

_CLASS = "class"  # key of the class's name


def to_dict(config: Any) -> Any:
    """What JSON can hold: a dataclass is a dict with its name under "class", a tuple a list.

    The name of a class that is not of this package has its module in front: "my_module:MyNorm".
    """
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        fields = {f.name: to_dict(getattr(config, f.name)) for f in dataclasses.fields(config)}
        return {_CLASS: _name(type(config)), **fields}
    return [to_dict(item) for item in config] if isinstance(config, tuple | list) else config


def from_dict(settings: Any, where: str = "model.json") -> Any:
    """Inverse of `to_dict`; fields that are not there have their defaults.

    Raises:
      UserError: if a class or a field is unknown, a module cannot be imported, a required field is
        missing, or the class refuses the values.
    """
    if isinstance(settings, Mapping):
        return _object(settings, where)
    if isinstance(settings, list):
        return tuple(from_dict(item, where) for item in settings)
    return settings


def to_gin(config: Any, macro: str | None = "MODEL") -> str:
    """Gin text whose `%MODEL` is `config`; what has its default is left out.

    Without a macro, that of which `@EncoderDecoder()` is `config`.

    Every nested object has a scope of its own, the path of fields that leads to it:

        MODEL = @EncoderDecoder()
        EncoderDecoder.encoder = @encoder/Stack()
        encoder/Stack.num_layers = 12
    """
    named = [f"{macro} = @{type(config).__name__}()"] if macro else []
    return "".join(f"{line}\n" for line in (*named, *_bindings(config, "")))


@functools.cache
def _classes() -> dict[str, type]:
    package = importlib.import_module(__package__)
    modules = pkgutil.walk_packages(package.__path__, f"{__package__}.")
    found = [vars(importlib.import_module(module.name)) for module in modules]
    return {
        value.__name__: value
        for names in found
        for value in names.values()
        if isinstance(value, type) and dataclasses.is_dataclass(value)
    }


def _name(kind: type) -> str:
    own = kind.__module__.startswith(f"{__package__}.")
    return kind.__name__ if own else f"{kind.__module__}:{kind.__name__}"


def _class(name: str, where: str) -> type:
    """Inverse of `_name`."""
    if name in _classes():
        return _classes()[name]
    module, colon, own_name = name.partition(":")
    if not colon:
        hint = did_you_mean(name, _classes())
        raise UserError(f"{where}: there is no configuration class '{name}'.{hint}")
    try:
        kind = getattr(importlib.import_module(module), own_name)
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"{where}: the model has a part of your own, {own_name} of module '{module}', but "
            f"{described(error)}. Start where that module is, or put it on PYTHONPATH."
        ) from error
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        raise UserError(f"{where}: {own_name} of module '{module}' is no dataclass.")
    return kind


def _object(settings: Mapping[str, Any], where: str) -> Any:
    name = str(settings.get(_CLASS))
    kind = _class(name, where)
    fields = {f.name: f for f in dataclasses.fields(kind) if f.init}
    given = {key: value for key, value in settings.items() if key != _CLASS}
    if unknown := [key for key in given if key not in fields]:
        hint = did_you_mean(unknown[0], fields)
        raise UserError(f"{where}: {name} has no '{unknown[0]}'.{hint}")
    missing = [key for key in fields if key not in given and _default(fields[key]) is _NONE]
    if missing:
        raise UserError(f"{where}: {name} needs {', '.join(missing)}.")
    return kind(**{key: from_dict(value, where) for key, value in given.items()})


_NONE = object()


def _default(field: dataclasses.Field) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return _NONE


def _bindings(config: Any, scope: str) -> Iterator[str]:
    """Lines of `config`, then those of what is nested in it."""
    nested: list[str] = []
    prefix = f"{scope}/" if scope else ""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if value != _default(field):
            text, inner = _literal(value, f"{prefix}{field.name}")
            yield f"{prefix}{type(config).__name__}.{field.name} = {text}"
            nested += inner
    yield from nested


def _literal(value: Any, scope: str) -> tuple[str, list[str]]:
    """Gin's expression for a value, and the bindings it needs."""
    if dataclasses.is_dataclass(value):
        return f"@{scope}/{type(value).__name__}()", list(_bindings(value, scope))
    if isinstance(value, tuple):
        items = [_literal(item, f"{scope}_{i}") for i, item in enumerate(value)]
        texts = "".join(f"{text}, " for text, _ in items)
        return f"({texts.rstrip()})", [line for _, lines in items for line in lines]
    return repr(value), []
