"""Invertible steps between our arrays and theirs.

Each step maps a tuple of arrays to a tuple of arrays, in the direction ours -> theirs, and back.
Most act on every array alike; `Fuse` and `Split` change how many there are.
"""

import abc
import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np

Shape = tuple[int, ...]
Shapes = tuple[Shape, ...]
Arrays = tuple[np.ndarray, ...]


class Transform(abc.ABC):
    """One step. `to_ours(to_theirs(x), shapes of x)` is x, bit by bit."""

    @abc.abstractmethod
    def shapes(self, ours: Shapes) -> Shapes:
        """Shapes of what `to_theirs` makes of arrays of shapes `ours`."""

    @abc.abstractmethod
    def to_theirs(self, ours: Arrays) -> Arrays:
        """As their files have them."""

    @abc.abstractmethod
    def to_ours(self, theirs: Arrays, shapes: Shapes) -> Arrays:
        """Inverse of `to_theirs`; `shapes` are those of the result."""


@dataclasses.dataclass(frozen=True)
class Transpose(Transform):
    """Permutes axes; without `axes`, reverses them: our kernel [in, out], their weight [out, in].

    Attributes:
      axes: axis i of theirs is axis `axes[i]` of ours.
    """

    axes: tuple[int, ...] | None = None

    def shapes(self, ours: Shapes) -> Shapes:
        return tuple(tuple(shape[axis] for axis in self._axes(len(shape))) for shape in ours)

    def to_theirs(self, ours: Arrays) -> Arrays:
        return tuple(array.transpose(self._axes(array.ndim)) for array in ours)

    def to_ours(self, theirs: Arrays, shapes: Shapes) -> Arrays:
        return tuple(array.transpose(np.argsort(self._axes(array.ndim))) for array in theirs)

    def _axes(self, ndim: int) -> tuple[int, ...]:
        return self.axes if self.axes is not None else tuple(reversed(range(ndim)))


@dataclasses.dataclass(frozen=True)
class Reshape(Transform):
    """Gives each array the shape `theirs`, in which one number may be -1."""

    theirs: Shape

    def shapes(self, ours: Shapes) -> Shapes:
        return tuple(self._shape(shape) for shape in ours)

    def to_theirs(self, ours: Arrays) -> Arrays:
        return tuple(array.reshape(self.theirs) for array in ours)

    def to_ours(self, theirs: Arrays, shapes: Shapes) -> Arrays:
        return tuple(array.reshape(shape) for array, shape in zip(theirs, shapes, strict=True))

    def _shape(self, ours: Shape) -> Shape:
        known = math.prod(size for size in self.theirs if size != -1)
        return tuple(math.prod(ours) // known if size == -1 else size for size in self.theirs)


@dataclasses.dataclass(frozen=True)
class Pad(Transform):
    """Their arrays have more entries along `axis`: zeros when written, dropped when read."""

    before: int = 0
    after: int = 0
    axis: int = 0

    def shapes(self, ours: Shapes) -> Shapes:
        return tuple(self._padded(shape) for shape in ours)

    def to_theirs(self, ours: Arrays) -> Arrays:
        return tuple(np.pad(array, self._widths(array.ndim)) for array in ours)

    def to_ours(self, theirs: Arrays, shapes: Shapes) -> Arrays:
        return tuple(self._kept(array) for array in theirs)

    def _padded(self, shape: Shape) -> Shape:
        widths = self._widths(len(shape))
        return tuple(size + sum(width) for size, width in zip(shape, widths, strict=True))

    def _widths(self, ndim: int) -> list[tuple[int, int]]:
        here = self.axis % ndim
        return [(self.before, self.after) if axis == here else (0, 0) for axis in range(ndim)]

    def _kept(self, array: np.ndarray) -> np.ndarray:
        kept = [slice(None)] * array.ndim
        kept[self.axis] = slice(self.before, array.shape[self.axis] - self.after)
        return array[tuple(kept)]


@dataclasses.dataclass(frozen=True)
class Fuse(Transform):
    """Several of ours are one of theirs, one after the other along `axis`."""

    axis: int

    def shapes(self, ours: Shapes) -> Shapes:
        first = list(ours[0])
        first[self.axis] = sum(shape[self.axis] for shape in ours)
        return (tuple(first),)

    def to_theirs(self, ours: Arrays) -> Arrays:
        return (np.concatenate(ours, self.axis),)

    def to_ours(self, theirs: Arrays, shapes: Shapes) -> Arrays:
        ends = itertools.accumulate(shape[self.axis] for shape in shapes[:-1])
        return tuple(np.split(theirs[0], list(ends), self.axis))


@dataclasses.dataclass(frozen=True)
class Split(Transform):
    """One of ours is several of theirs, of the given sizes along `axis`."""

    axis: int
    sizes: tuple[int, ...]

    def shapes(self, ours: Shapes) -> Shapes:
        axis = self.axis % len(ours[0])
        return tuple((*ours[0][:axis], size, *ours[0][axis + 1 :]) for size in self.sizes)

    def to_theirs(self, ours: Arrays) -> Arrays:
        return tuple(np.split(ours[0], list(itertools.accumulate(self.sizes[:-1])), self.axis))

    def to_ours(self, theirs: Arrays, shapes: Shapes) -> Arrays:
        return (np.concatenate(theirs, self.axis),)


@dataclasses.dataclass(frozen=True)
class Chain(Transform):
    """Steps one after the other, the first being next to ours."""

    steps: tuple[Transform, ...]

    def shapes(self, ours: Shapes) -> Shapes:
        return self._all_shapes(ours)[-1]

    def to_theirs(self, ours: Arrays) -> Arrays:
        for step in self.steps:
            ours = step.to_theirs(ours)
        return ours

    def to_ours(self, theirs: Arrays, shapes: Shapes) -> Arrays:
        before = self._all_shapes(shapes)[:-1]
        for step, shapes_before in zip(reversed(self.steps), reversed(before), strict=True):
            theirs = step.to_ours(theirs, shapes_before)
        return theirs

    def _all_shapes(self, ours: Shapes) -> Sequence[Shapes]:
        return list(itertools.accumulate(self.steps, lambda s, step: step.shapes(s), initial=ours))
