"""Second moments of one parameter, whole or factored, as T5X's Adafactor keeps them."""

import dataclasses
from typing import Protocol

import numpy as np

from t2t.errors import UserError
from t2t.interop.sources import Source
from t2t.interop.t5x.layout import Layout
from t2t.interop.t5x.names import Place
from t2t.interop.transforms import Shape


class Moments(Protocol):
    """Of one of our parameters, `[…, in, out]` (a matrix) or `[…, size]`, or of all its layers."""

    @property
    def shape(self) -> Shape:
        """Of the parameter."""
        ...

    def of_elements(self) -> np.ndarray:
        """For each element."""
        ...

    def along(self, axis: int) -> np.ndarray:
        """Of a matrix: means for each index of `axis` (-2 or -1) over the other one."""
        ...


@dataclasses.dataclass(frozen=True)
class FullMoments:
    """Kept for each element."""

    elements: np.ndarray

    @property
    def shape(self) -> Shape:
        return self.elements.shape

    def of_elements(self) -> np.ndarray:
        return self.elements

    def along(self, axis: int) -> np.ndarray:
        return self.elements.mean(axis=-3 - axis)


@dataclasses.dataclass(frozen=True)
class FactoredMoments:
    """Kept as means over columns, `rows` `[…, in]`, and over rows, `columns` `[…, out]`."""

    rows: np.ndarray
    columns: np.ndarray

    @property
    def shape(self) -> Shape:
        return (*self.rows.shape, self.columns.shape[-1])

    def of_elements(self) -> np.ndarray:
        """The estimate of https://arxiv.org/abs/1804.04235, algorithm 2; zeros before a step."""
        product = self.rows[..., :, None] * self.columns[..., None, :]
        mean = self.rows.mean(axis=-1)[..., None, None]
        return np.divide(product, mean, out=np.zeros_like(product), where=mean > 0)

    def along(self, axis: int) -> np.ndarray:
        return self.rows if axis == -2 else self.columns


def read_moments(name: str, layout: Layout, source: Source) -> Moments:
    """Those of T5X's parameter `name`; of all layers, if it is scanned.

    Raises:
      UserError: if their shapes fit neither way of keeping them.
    """
    place = layout.places[name]
    shape = source.tensors[f"target/{name}"].shape
    prefix = f"state/param_states/{name}/"
    stored = {kind: source.tensors[prefix + kind].shape for kind in ("v", "v_row", "v_col")}
    if stored["v"] == shape:
        return FullMoments(layout.ours(place, _read(source, f"{prefix}v")))
    if len(place.axes) == 2:
        sides = _sides(shape, place, layout)
        row, column = sides if _row_is_first(shape, place) else sides[::-1]
        if stored["v_row"] == _without(shape, column) and stored["v_col"] == _without(shape, row):
            v_row = _laid_out(_read(source, f"{prefix}v_row"), column, place, layout)
            v_col = _laid_out(_read(source, f"{prefix}v_col"), row, place, layout)
            means = (v_row, v_col) if row == sides[0] else (v_col, v_row)
            return FactoredMoments(*means)
    listed = ", ".join(f"{kind} {list(size)}" for kind, size in stored.items())
    raise UserError(
        f"The Adafactor state of '{name}' {list(shape)} in {source.where} is neither whole nor "
        f"factored into its two sides: {listed}. Import the parameters alone, without it."
    )


def _row_is_first(shape: Shape, place: Place) -> bool:
    """Whether T5X's `v_row` belongs to the first side of the matrix, as stored.

    For matrices it is the shorter one; with more axes, scanned or heads apart, "embed".
    """
    return shape[0] <= shape[1] if len(shape) == 2 else place.axes[0] == "embed"


def _sides(shape: Shape, place: Place, layout: Layout) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Axes of T5X's array that are the two sides of the matrix; neither has the layer."""
    axes = list(range(len(shape)))
    if place.scanned:
        axes.pop(layout.scan_axis)
    first = 2 if place.axes[0] == "joined" and len(axes) == 3 else 1
    return tuple(axes[:first]), tuple(axes[first:])


def _without(shape: Shape, axes: tuple[int, ...]) -> Shape:
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def _laid_out(
    means: np.ndarray, averaged: tuple[int, ...], place: Place, layout: Layout
) -> np.ndarray:
    """`[layers, side]`, or `[side]`, of means over the axes `averaged` of T5X's array."""
    means = np.expand_dims(means, averaged)
    if not place.scanned:
        return means.reshape(-1)
    return np.moveaxis(means, layout.scan_axis, 0).reshape(layout.num_layers(place), -1)


def _read(source: Source, name: str) -> np.ndarray:
    return source.read(name).astype(np.float32, copy=False)
