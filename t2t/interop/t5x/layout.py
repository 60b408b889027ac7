"""What kind of T5 a checkpoint's names and shapes describe, and where each array belongs."""

import math
from collections import Counter
from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np

from t2t.errors import UserError
from t2t.interop.t5x.names import LAYERS, MODEL, Place, place_of
from t2t.interop.transforms import Shape

_LISTED = 20  # faults of one kind that a message spells out
_UNTIED = "decoder/logits_dense/kernel"
_SCAN_AXES = (1, 0, -1)  # T5X's param_scan_axis, its default first


class Layout(NamedTuple):
    """A T5 as T5X stores it.

    Attributes:
      places: where each of T5X's parameters belongs, by its name.
      sizes: of the axes "vocab", "embed", "joined" (heads times units of each), "heads", "mlp",
        "buckets", and numbers of layers, "encoder_layers" and "decoder_layers".
      scan_axis: of scanned arrays, the axis that is the layer.
    """

    places: Mapping[str, Place]
    sizes: Mapping[str, int]
    scan_axis: int

    @property
    def tied(self) -> bool:
        """Whether logits come from the embedding table."""
        return _UNTIED not in self.places

    @property
    def gated(self) -> bool:
        """Whether the feed-forward layers multiply two branches."""
        return any(name.endswith("/mlp/wi_0/kernel") for name in self.places)

    @property
    def positions_per_layer(self) -> bool:
        """Whether each layer has a relative position bias of its own."""
        return any("/layers/positions/" in place.ours for place in self.places.values())

    def shape(self, place: Place) -> Shape:
        """Of our array: of one layer, if it belongs to layers."""
        return tuple(self.sizes[axis] for axis in place.axes)

    def num_layers(self, place: Place) -> int:
        """Of the stack that `place` is in."""
        return self.sizes[f"{place.stack}_layers"]

    def ours(self, place: Place, array: np.ndarray) -> np.ndarray:
        """T5X's array as ours: `[layers, …]` if it is scanned, heads and their units joined."""
        shape = self.shape(place)
        if not place.scanned:
            return array.reshape(shape)
        return np.moveaxis(array, self.scan_axis, 0).reshape(self.num_layers(place), *shape)


def lay_out(shapes: Mapping[str, Shape], where: str) -> Layout:
    """The layout of parameters with these names and shapes.

    Raises:
      UserError: listing what is missing, unknown or of a wrong shape.
    """
    for stack in LAYERS:
        if not any(name.startswith(f"{stack}/") for name in shapes):
            raise UserError(
                f"The T5X checkpoint {where} has no parameters of {stack}/. Only encoder-decoders "
                f"(T5, mT5, ByT5, umT5, Flan-T5) can be imported."
            )
    _check_names(shapes, where)
    places = {name: place for name in shapes if (place := place_of(name))}
    measured = [(axis, *_measure(shapes, places, axis)) for axis in _SCAN_AXES]
    scan_axis, sizes, wrong = min(measured, key=lambda result: len(result[2]))
    if wrong:
        listed = [_expected(name, shapes[name], places[name], sizes) for name in wrong]
        raise UserError(f"In the T5X checkpoint {where}, shapes do not fit: {_listed(listed)}.")
    if sizes["joined"] % sizes["heads"]:
        raise UserError(
            f"The attention of the T5X checkpoint {where} is {sizes['joined']} wide, which "
            f"{sizes['heads']} heads (rows of relpos_bias/rel_embedding) do not divide."
        )
    return Layout(places, sizes, scan_axis)


def _check_names(names: Collection[str], where: str) -> None:
    required = {name for stack in LAYERS for name in _required(stack, names)}
    required |= {"token_embedder/embedding"}
    missing = sorted(required - set(names))
    extra = sorted(set(names) - required - {_UNTIED})
    if missing or extra:
        faults = [f"missing: {_listed(missing)}"] * bool(missing)
        faults += [f"unknown: {_listed(extra)}"] * bool(extra)
        raise UserError(f"The T5X checkpoint {where} does not fit a T5; {'; '.join(faults)}.")


def _required(stack: str, names: Collection[str]) -> list[str]:
    """Names that a stack like the one in `names` has."""
    places = [place for name in names if (place := place_of(name)) and place.stack]
    numbers = [p.layer for p in places if p.stack == stack and p.layer is not None]
    prefixes = [f"{stack}/layers_{i}/" for i in range(max(numbers) + 1)] if numbers else []
    gated = any("/mlp/wi_" in place.ours for place in places)
    per_layer = any("/positions/" in place.ours for place in places)
    left_out = {"mlp/wi/kernel"} if gated else {"mlp/wi_0/kernel", "mlp/wi_1/kernel"}
    left_out |= set() if per_layer else {"relpos_bias/rel_embedding"}
    in_layer = [name for name in LAYERS[stack] if name not in left_out]
    top = [name for name in MODEL if name.startswith(f"{stack}/") and name != _UNTIED]
    top = [name for name in top if not (per_layer and "relpos_bias" in name)]
    return top + [p + name for p in prefixes or [f"{stack}/{stack}/"] for name in in_layer]


def _measure(
    shapes: Mapping[str, Shape], places: Mapping[str, Place], scan_axis: int
) -> tuple[dict[str, int], list[str]]:
    """Sizes that most arrays agree on, and the names of those that do not."""
    found = {name: _axis_sizes(shapes[name], place, scan_axis) for name, place in places.items()}
    votes: dict[str, Counter[int]] = {}
    for axes in found.values():
        for axis, size in axes.items():
            votes.setdefault(axis, Counter())[size] += 1
    sizes = {axis: counter.most_common(1)[0][0] for axis, counter in votes.items()}
    for stack in LAYERS:
        numbers = [p.layer for p in places.values() if p.stack == stack and p.layer is not None]
        if numbers:
            sizes[f"{stack}_layers"] = max(numbers) + 1
    wrong = [
        name
        for name, axes in found.items()
        if not axes or any(sizes[axis] != size for axis, size in axes.items())
    ]
    return sizes, wrong


def _axis_sizes(shape: Shape, place: Place, scan_axis: int) -> dict[str, int]:
    """Size of each named axis; empty if there are too few or too many axes."""
    sizes, left = {}, list(shape)
    if place.scanned:
        if not -len(left) <= scan_axis < len(left):
            return {}
        sizes[f"{place.stack}_layers"] = left.pop(scan_axis)
    if "joined" in place.axes and len(left) == len(place.axes) + 1:
        first = place.axes.index("joined")
        sizes["heads"] = left[first]
        left[first : first + 2] = [math.prod(left[first : first + 2])]
    if len(left) != len(place.axes):
        return {}
    return {**sizes, **dict(zip(place.axes, left, strict=True))}


def _expected(name: str, shape: Shape, place: Place, sizes: Mapping[str, int]) -> str:
    axes = " x ".join(f"{axis} {sizes[axis]}" for axis in place.axes if axis in sizes)
    layers = f", {sizes.get(f'{place.stack}_layers')} layers" if place.scanned else ""
    return f"{name} is {list(shape)} (the others have {axes}{layers})"


def _listed(items: list[str]) -> str:
    more = f" and {len(items) - _LISTED} more" if len(items) > _LISTED else ""
    return ", ".join(items[:_LISTED]) + more
