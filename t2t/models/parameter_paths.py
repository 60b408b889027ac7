"""Parameters by path, "encoder/layers/mlp/wo/kernel", and regular expressions over such paths."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from t2t.errors import UserError, did_you_mean


def flatten(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Leaves by path. Whatever is not a dict is a leaf, so that it works for logical axes too."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}/{path}": leaf for path, leaf in flatten(value).items()}
        else:
            flat[key] = value
    return flat


def unflatten(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The nested dict again."""
    tree: dict[str, Any] = {}
    for path, leaf in flat.items():
        *folders, name = path.split("/")
        node = tree
        for folder in folders:
            node = node.setdefault(folder, {})
        node[name] = leaf
    return tree


def shapes_of(params: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Shape by path of a tree of arrays, or of abstract ones."""
    return {path: tuple(leaf.shape) for path, leaf in flatten(params).items()}


def is_stacked(path: str) -> bool:
    """Whether the first axis of the leaf counts layers (or groups of them)."""
    return "layers" in path.split("/")


def of_layer(path: str, layer: int) -> str:
    """The name of one layer of a stacked leaf: "encoder/layers/0/mlp/wo/kernel"."""
    parts = path.split("/")
    parts.insert(parts.index("layers") + 1, str(layer))
    return "/".join(parts)


def matching(patterns: Iterable[str], paths: Iterable[str], setting: str) -> set[str]:
    """The paths that one of the patterns matches from start to end (`re.fullmatch`).

    Args:
      patterns: regular expressions.
      paths: what they may match.
      setting: where the patterns come from, for messages: "Trainable.include".

    Raises:
      UserError: if a pattern is no regular expression, or matches no path.
    """
    paths = list(paths)
    found: set[str] = set()
    for pattern in patterns:
        try:
            expression = re.compile(pattern)
        except re.error as error:
            raise UserError(
                f"{setting}: '{pattern}' is not a regular expression: {error}."
            ) from error
        matched = {path for path in paths if expression.fullmatch(path)}
        if not matched:
            raise UserError(
                f"{setting}: '{pattern}' matches no parameter.{_hint(pattern, paths)} Patterns are "
                "regular expressions over whole names, such as 'encoder/.*'; parameters.txt in the "
                "folder of a run lists the names."
            )
        found |= matched
    return found


def _hint(pattern: str, paths: list[str]) -> str:
    """Suggests a part of a name for the first word of the pattern that is none."""
    known = sorted({part for path in paths for part in path.split("/")})
    hints = (did_you_mean(word, known) for word in re.findall(r"\w+", pattern) if word not in known)
    return next((hint for hint in hints if hint), "")
