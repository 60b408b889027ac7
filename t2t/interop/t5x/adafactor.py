"""T5X's Adafactor state into the state of ours.

Both keep second moments of a matrix as the means over its rows and over its columns
(https://arxiv.org/abs/1804.04235, section 4), with the same decay and no bias correction. They
differ in which arrays they factor and in shape: T5X factors a matrix if both sides have at least
128 elements, scanned kernels always, and scanned tables of relative positions never.

Means of full moments are exactly the factored ones, because both are moving averages of squared
gradients. The reverse is the rank-one estimate that T5X itself divides by.
"""

from typing import Any

import jax
import numpy as np
import optax

from t2t.errors import UserError
from t2t.interop.sources import Source
from t2t.interop.t5x.layout import Layout
from t2t.interop.t5x.moments import FactoredMoments, FullMoments, Moments, read_moments

_STATE = "state/param_states/"


def import_adafactor(layout: Layout, source: Source, template: Any, step: int) -> Any:
    """The state of an optimiser, filled from T5X's.

    Args:
      layout: of the checkpoint.
      source: of its arrays; the state's are "state/param_states/<parameter>/{m,v,v_row,v_col}".
      template: `transformation.init(params)` of `t2t.training.optimizers.adafactor`, or its
        abstract version.
      step: number of updates done.

    Returns:
      A tree like `template`, of numpy arrays.

    Raises:
      UserError: if the checkpoint has no such state, or one that ours has no place for.
    """
    _check_adafactor(layout, source)
    names: dict[str, list[str]] = {}
    for name in sorted(layout.places, key=lambda name: layout.places[name].layer or 0):
        names.setdefault(layout.places[name].ours, []).append(name)

    def fill(path, leaf):
        if isinstance(leaf, optax.FactoredState):
            ours = "/".join(key.key for key in path if isinstance(key, jax.tree_util.DictKey))
            return _filled(leaf, _stacked(names[ours], layout, source), step)
        if isinstance(leaf, optax.ScaleByScheduleState):
            return leaf._replace(count=_count(leaf.count, step))
        raise UserError("T5X's Adafactor state fits no optimiser of t2t but adafactor.")

    return jax.tree_util.tree_map_with_path(
        fill,
        template,
        is_leaf=lambda x: isinstance(x, optax.FactoredState | optax.ScaleByScheduleState),
    )


def _check_adafactor(layout: Layout, source: Source) -> None:
    advice = "Import the parameters alone, without the optimiser's state."
    stored = {n.removeprefix(_STATE) for n in source.tensors if n.startswith(_STATE)}
    if not stored:
        raise UserError(f"The T5X checkpoint {source.where} has no optimiser state. {advice}")
    kinds = ("v", "v_row", "v_col")
    required = {f"{name}/{kind}" for name in layout.places for kind in kinds}
    unknown = sorted(stored - required - {f"{name}/m" for name in layout.places})
    missing = sorted(required - stored)
    if unknown or missing:
        fault = f"it has {unknown[0]}" if unknown else f"{missing[0]} is missing"
        raise UserError(
            f"The optimiser state of the T5X checkpoint {source.where} is not Adafactor's (v, "
            f"v_row and v_col of each parameter): {fault}. {advice}"
        )
    for name in layout.places:
        momentum = source.tensors.get(f"{_STATE}{name}/m")
        if momentum and momentum.shape != (1,):
            raise UserError(
                f"The Adafactor of the T5X checkpoint {source.where} has momentum (beta1), and "
                f"t2t's has none. {advice}"
            )


def _stacked(names: list[str], layout: Layout, source: Source) -> Moments:
    """Moments of one of our parameters: scanned already, of no layer, or of each layer alone."""
    read = [read_moments(name, layout, source) for name in names]
    if layout.places[names[0]].layer is None:
        return read[0]
    if all(isinstance(moments, FullMoments) for moments in read):
        return FullMoments(np.stack([moments.of_elements() for moments in read]))
    return FactoredMoments(*(np.stack([m.along(axis) for m in read]) for axis in (-2, -1)))


def _filled(leaf: optax.FactoredState, moments: Moments, step: int) -> optax.FactoredState:
    """`leaf` with these moments; what it does not keep is one zero."""
    kept: dict[str, np.ndarray] = {}
    if leaf.v.shape == moments.shape:
        kept["v"] = moments.of_elements()
    else:
        # Optax keeps as v_row what belongs to the shorter side, the first of equal ones.
        row, column = (-2, -1) if moments.shape[-2] <= moments.shape[-1] else (-1, -2)
        kept = {"v_row": moments.along(row), "v_col": moments.along(column)}
    empty = {name: np.zeros(like.shape, like.dtype) for name, like in leaf._asdict().items()}
    return optax.FactoredState(**{**empty, **kept, "count": _count(leaf.count, step)})


def _count(like: Any, step: int) -> np.ndarray:
    return np.full(like.shape, step, like.dtype)
