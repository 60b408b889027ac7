"""The training state as plain nested dicts, so that code may change around what is on disk."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from t2t.models.definition import Params
from t2t.training.state import TrainState


def train_item(state: TrainState) -> dict[str, Any]:
    """All but the parameters: the step, and every other part as a dict of leaves by path."""
    parts = state._asdict()
    parts.pop("params")
    step = parts.pop("step")
    return {"step": step} | {name: by_name(part) for name, part in parts.items()}


def stored_part(state: TrainState, stored: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of `train_item(state)` that a checkpoint has; older formats have fewer."""
    return {name: part for name, part in train_item(state).items() if name in stored}


def from_items(abstract: TrainState, params: Params, train: Mapping[str, Any]) -> TrainState:
    """The state, from what was restored of `train_item`.

    What the checkpoint's format did not have yet begins with zeros, as in a fresh state.
    """
    parts: dict[str, Any] = {"step": train["step"], "params": params}
    for name, part in abstract._asdict().items():
        if name in parts:
            continue
        if name in train:
            leaves = [train[name][key] for key in by_name(part)]
            parts[name] = jax.tree.unflatten(jax.tree.structure(part), leaves)
        else:
            parts[name] = jax.tree.map(_zeros, part)
    return TrainState(**parts)


def by_name(tree: Any) -> dict[str, Any]:
    """Leaves by their path, as in "encoder.layers.mlp.wo.kernel"."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def difference(there: Any, here: Any) -> str | None:
    """The first name that only one of two trees has, or where shapes differ; None if none."""
    stored, wanted = by_name(there), by_name(here)
    for name in sorted(stored.keys() | wanted.keys()):
        shapes = [tuple(x[name].shape) if name in x else "not" for x in (stored, wanted)]
        if shapes[0] != shapes[1]:
            return f"{name} is {shapes[0]} there and {shapes[1]} in this one"
    return None


def _zeros(leaf: jax.ShapeDtypeStruct) -> jax.Array:
    return jnp.zeros(leaf.shape, leaf.dtype, device=leaf.sharding)
