"""Nested dicts of arrays <-> flat ones, by path."""

from collections.abc import Mapping
from typing import Any

from t2t.interop.transforms import Shape


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """`{"a": {"b": x}}` -> `{"a/b": x}`."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        path = f"{prefix}{name}"
        flat.update(flatten(value, f"{path}/") if isinstance(value, Mapping) else {path: value})
    return flat


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """`{"a/b": x}` -> `{"a": {"b": x}}`."""
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        *parents, name = path.split("/")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[name] = value
    return tree


def shapes_of(params: Mapping[str, Any]) -> dict[str, Shape]:
    """Shape by path of a tree of arrays, or of abstract ones."""
    return {path: tuple(leaf.shape) for path, leaf in flatten(params).items()}
