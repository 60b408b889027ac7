"""Muon for the matrices of layers, Adam for the rest."""

import math
from typing import Any

import jax
import optax
from optax import contrib

from t2t.errors import UserError
from t2t.models.parameter_paths import matching
from t2t.training.optimizers.layers import map_leaves, rank
from t2t.training.optimizers.optimizer import Optimizer, finish
from t2t.training.optimizers.weight_decay import WeightDecay
from t2t.training.schedules import Schedule


def muon(
    learning_rate: Schedule,
    momentum: float = 0.95,
    nesterov: bool = True,
    iterations: int = 5,
    update_rms: float = 0.2,
    matrices: tuple[str, ...] = (".*/layers/.*/kernel",),
    b1: float = 0.9,
    b2: float = 0.95,
    eps: float = 1e-8,
    weight_decay: float | WeightDecay = 0.0,
    clip_norm: float | None = None,
) -> Optimizer:
    """Muon: the momentum of each matrix made orthogonal (https://arxiv.org/abs/2502.16982).

    The direction of a matrix is the momentum with all singular values moved to about 1, by
    `iterations` of Newton and Schulz (section 2.1); of every layer of a stack on its own. It is
    scaled by `update_rms * sqrt(max(rows, columns))`, to the size of Adam's updates, so that all
    parameters share one rate and one decay (section 2.2). Embeddings, heads and vectors are
    Adam's.

    Args:
      learning_rate: absolute, as for AdamW.
      momentum: decay of the average of gradients.
      nesterov: look one step ahead.
      iterations: of Newton and Schulz.
      update_rms: root mean square of updates, about.
      matrices: regular expressions over names (`re.fullmatch`) of what is Muon's; matrices all.
      b1, b2, eps: Adam's, of everything else.
      weight_decay: share of each matrix removed per step, times the learning rate; 0.1 in the
        paper.
      clip_norm: largest global norm of the gradient; None for no clipping.

    Raises:
      UserError: at initialisation, if a pattern matches nothing, or what is no matrix.
    """

    def labels(params: Any) -> Any:
        paths = jax.tree.leaves(map_leaves(lambda path, _: path, params))
        chosen = matching(matrices, paths, "muon.matrices")

        def label(path: str, leaf: Any) -> str:
            if path in chosen and rank(path, leaf) != 2:
                raise UserError(
                    f"muon.matrices matches '{path}', which is no matrix but of shape {leaf.shape}."
                )
            return "muon" if path in chosen else "adam"

        return map_leaves(label, params)

    orthogonalise = contrib.scale_by_muon(
        ns_steps=iterations,
        beta=momentum,
        nesterov=nesterov,
        weight_dimension_numbers=_matrix_axes,
    )
    parts = {
        "muon": optax.chain(orthogonalise, optax.stateless(_scale(update_rms))),
        "adam": optax.scale_by_adam(b1, b2, eps),
    }
    return finish(optax.partition(parts, labels), learning_rate, weight_decay, clip_norm)


def _matrix_axes(updates: Any) -> Any:
    """The last two axes; whatever is in front counts matrices."""

    def of(leaf: jax.Array) -> contrib.MuonDimensionNumbers:
        return contrib.MuonDimensionNumbers(leaf.ndim - 2, leaf.ndim - 1)

    return jax.tree.map(of, updates)


def _scale(update_rms: float):
    def scale(update: jax.Array) -> jax.Array:
        return update * (update_rms * math.sqrt(max(update.shape[-2:])))

    return lambda updates, _: jax.tree.map(scale, updates)
