"""Layer by layer over stacked leaves."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from t2t.models.parameter_paths import is_stacked


def per_layer(
    transformation_of: Callable[[str], optax.GradientTransformation],
) -> optax.GradientTransformation:
    """Applies `transformation_of(path)` to every leaf on its own, and to every layer of a stack.

    The state is a tree like the parameters, with the state of the leaf's transformation in place of
    each leaf; of stacked ones it has the axis of layers in front.
    """

    def mapped(function: Callable, stacked: bool) -> Callable:
        return jax.vmap(function) if stacked else function

    def init(params):
        return map_leaves(
            lambda path, leaf: mapped(transformation_of(path).init, is_stacked(path))(leaf), params
        )

    def update(updates, state, params):
        structure: Any = jax.tree.structure(params)
        paths = jax.tree.leaves(map_leaves(lambda path, _: path, params))
        results = [
            mapped(transformation_of(path).update, is_stacked(path))(*arguments)
            for path, *arguments in zip(
                paths,
                structure.flatten_up_to(updates),
                structure.flatten_up_to(state),
                jax.tree.leaves(params),
                strict=True,
            )
        ]
        return tuple(jax.tree.unflatten(structure, part) for part in zip(*results, strict=True))

    return optax.GradientTransformation(init, update)


def map_leaves(function: Callable[..., Any], params: Any, *trees: Any) -> Any:
    """`function(path, leaf, *leaves)` of parameters, "encoder/layers/...", and trees like them."""

    def visit(path, *leaves):
        return function(jax.tree_util.keystr(path, simple=True, separator="/"), *leaves)

    return jax.tree_util.tree_map_with_path(visit, params, *trees)


def rank(path: str, leaf: Any) -> int:
    """Number of axes, of one layer if there are several: 2 for a matrix, 1 for a vector."""
    return jnp.ndim(leaf) - is_stacked(path)


def is_matrix(path: str, leaf: Any) -> bool:
    """Whether it is no vector (of a norm, a bias)."""
    return rank(path, leaf) >= 2
