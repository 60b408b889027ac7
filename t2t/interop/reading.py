"""Their tensors into our parameters, by a table."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from t2t.errors import UserError
from t2t.interop.sources import Source, TensorInfo
from t2t.interop.tables import Part, Table
from t2t.interop.transforms import Shape
from t2t.models.parameter_paths import shapes_of, unflatten

_LISTED = 20  # faults of one kind that a message spells out


def read_params(table: Table, source: Source, like: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters shaped as `like`, float32, nested dict of numpy arrays.

    Names and shapes are checked before anything is read. Then tensors are read one at a time into
    arrays made beforehand, so memory holds the parameters and one tensor.

    Args:
      table: of the family.
      source: their tensors.
      like: nested dict of arrays, or of anything else with a shape.

    Raises:
      UserError: listing all tensors that are missing, left over or of another shape, and names of
        one tensor under which different values are found.
    """
    shapes = shapes_of(like)
    names = _Names(table, source)
    parts = table.parts(shapes)
    _check(table, parts, names, source.where)
    flat = {path: np.empty(shape, np.float32) for path, shape in shapes.items()}
    for part in parts:
        targets = [flat[path] for path in part.rule.our_paths]
        if part.layer is not None:
            targets = [target[part.layer] for target in targets]
        for target, value in zip(targets, _values(part, names), strict=True):
            target[...] = value
    for constant in table.constants:
        for found in names.find((constant.theirs,)):
            if not np.all(source.read(found).astype(np.float32) == constant.value):
                raise UserError(
                    f"'{found}' in {source.where} is not {constant.value:g} everywhere, and this "
                    f"model has no parameter for it."
                )
    return unflatten(flat)


class _Names:
    """Names in the source by the names that a table uses."""

    def __init__(self, table: Table, source: Source):
        self._source = source
        self._prefix = table.base_prefix
        self._ignored = [re.compile(pattern) for pattern in table.ignored]
        self.actual = {_renamed(name, table): name for name in source.tensors}

    def find(self, candidates: tuple[str, ...]) -> list[str]:
        """Names in the source of a tensor that goes by any of `candidates`."""
        wanted = [spelling for name in candidates for spelling in self._spellings(name)]
        return [self.actual[name] for name in dict.fromkeys(wanted) if name in self.actual]

    def read(self, candidates: tuple[str, ...]) -> np.ndarray | None:
        """The tensor; None if there is none.

        Raises:
          UserError: if it is there under several names with different values.
        """
        first, *others = [*self.find(candidates), None]
        if first is None:
            return None
        array = self._source.read(first)
        for name in others[:-1]:
            if not np.array_equal(array, self._source.read(str(name))):
                raise UserError(
                    f"'{first}' and '{name}' in {self._source.where} differ, but in this model "
                    f"they are one tensor."
                )
        return array

    def info(self, name: str) -> TensorInfo:
        return self._source.tensors[name]

    def left_over(self, used: set[str]) -> list[str]:
        """Names in the source that are neither used nor to be ignored."""
        return [
            actual
            for name, actual in self.actual.items()
            if actual not in used and not any(self._matches(p, name) for p in self._ignored)
        ]

    def _matches(self, pattern: re.Pattern[str], name: str) -> bool:
        return any(pattern.fullmatch(spelling) for spelling in self._spellings(name))

    def _spellings(self, name: str) -> tuple[str, ...]:
        if not self._prefix:
            return (name,)
        if name.startswith(self._prefix):
            return name, name.removeprefix(self._prefix)
        return name, self._prefix + name


def _renamed(name: str, table: Table) -> str:
    for pattern, replacement in table.renames:
        name = re.sub(pattern, replacement, name)
    return name


def _check(table: Table, parts: list[Part], names: _Names, where: str) -> None:
    missing, misshapen, used = [], [], set()
    for part in parts:
        for name, shape in zip(part.names, part.their_shapes, strict=True):
            found = names.find((name, *part.also, *part.copies))
            used.update(found)
            misshapen += _misshapen(found, shape, names)
            if not found and part.rule.absent is None:
                missing.append(name)
    for constant in table.constants:
        found = names.find((constant.theirs,))
        used.update(found)
        misshapen += _misshapen(found, constant.shape, names)
    left_over = names.left_over(used)
    faults = [
        _listed("missing", [f"'{name}'" for name in missing]),
        _listed("not known", [f"'{name}' (in {names.info(name).file})" for name in left_over]),
        _listed("of another shape", misshapen),
    ]
    if any(faults):
        raise UserError(
            f"The tensors in {where} are not those of the model that its configuration describes. "
            f"{' '.join(fault for fault in faults if fault)}"
        )


def _misshapen(found: list[str], wanted: Shape, names: _Names) -> list[str]:
    return [
        f"'{name}' is {list(info.shape)}, needs {list(wanted)} (in {info.file})"
        for name in found
        if (info := names.info(name)).shape != wanted
    ]


def _listed(what: str, items: list[str]) -> str:
    if not items:
        return ""
    more = f", and {len(items) - _LISTED} more" if len(items) > _LISTED else ""
    return f"{len(items)} {what}: {', '.join(items[:_LISTED])}{more}."


def _read(name: str, part: Part, names: _Names) -> np.ndarray | None:
    itself = names.read((name, *part.also))
    return names.read(part.copies) if itself is None else itself


def _values(part: Part, names: _Names) -> tuple[np.ndarray | float, ...]:
    arrays = [_read(name, part, names) for name in part.names]
    present = tuple(array for array in arrays if array is not None)
    if len(present) < len(arrays):
        if present or part.rule.absent is None:
            raise UserError(f"Only some of {', '.join(part.names)} are there.")
        return (part.rule.absent,) * len(part.shapes)
    return part.rule.transform.to_ours(present, part.shapes)
