"""Records to work on: lines of text, JSON lines, or what a task reads."""

import abc
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from t2t.data import randomness
from t2t.data.mixtures import Mixture
from t2t.data.registry import get_mixture_or_task
from t2t.data.rows import ExampleRows, open_rows
from t2t.data.sources import Example
from t2t.data.tasks import Task
from t2t.errors import UserError, did_you_mean
from t2t.reporting.lines import Line, Lines

_SAMPLE = 100
"""Lines that tell the format."""

_CHUNK = 64
_ASKED = ("prefix", "seed")  # of a record that is to be predicted; a task's are others
_LENGTHS = {"inputs": 512, "targets": 114}


class Given(NamedTuple):
    """A record as it was read.

    Attributes:
      number: among all, from 0.
      record: with a string "inputs", if it is to be read by a model.
      is_text: whether it was a line of text.
      where: it was found, for messages.
    """

    number: int
    record: dict
    is_text: bool
    where: str


class Inputs(abc.ABC):
    """Records in order."""

    is_repeatable = True
    """Whether they can be read more than once, so that they can be counted."""

    @abc.abstractmethod
    def __iter__(self) -> Iterator[Given]:
        """Reads them from the first on; raises UserError on one that is none."""

    def count(self) -> int:
        """How many there are; reads them all."""
        return sum(1 for _ in self)

    def about(self) -> int | None:
        """How many there may be, if that is cheap to tell."""
        return None

    def come_from(self, path: Path) -> bool:
        """Whether they are read from this file, which exists."""
        return False

    def read_as_trained(self, arguments: Mapping[str, Any]) -> None:  # noqa: B027
        """Reads as a run did, of whose `train` call these were the arguments."""


class FileInputs(Inputs):
    """Of files; see `Lines`.

    Args:
      patterns: files and the like.
      file_format: "text", "jsonl", or "auto": jsonl if the first lines (of a pipe the first) are
        JSON objects.
      needs_inputs: whether a JSON record must have a string "inputs".

    Raises:
      UserError: if there is no such file; later, if lines are neither all text nor all JSON, not
        UTF-8, or no such record.
    """

    def __init__(
        self, patterns: Sequence[str], file_format: str = "auto", *, needs_inputs: bool = True
    ):
        self._lines, self._format, self._needs_inputs = Lines(patterns), file_format, needs_inputs
        self.is_repeatable = self._lines.is_repeatable

    def __iter__(self) -> Iterator[Given]:
        lines = iter(self._lines)
        file_format = self._format
        if file_format == "auto":
            # What comes through a pipe may wait for an answer.
            sample = list(itertools.islice(lines, _SAMPLE if self.is_repeatable else 1))
            file_format, lines = _format_of(sample), itertools.chain(sample, lines)
        for number, line in enumerate(lines):
            if file_format == "text":
                yield Given(number, {"inputs": line.text}, True, line.where)
                continue
            record = line.record()
            if self._needs_inputs and not isinstance(record.get("inputs"), str):
                raise UserError(f"{line.where} has no string 'inputs'.")
            yield Given(number, record, False, line.where)

    def count(self) -> int:
        return self._lines.count()

    def about(self) -> int | None:
        return self.count() if self.is_repeatable else None

    def come_from(self, path: Path) -> bool:
        return self._lines.come_from(path)


def _format_of(sample: Sequence[Line]) -> str:
    """By lines that are not empty."""
    lines = [line for line in sample if line.text.strip()]
    is_json = [line.text.lstrip().startswith("{") for line in lines]
    if lines and any(is_json) and not all(is_json):
        one, other = lines[is_json.index(True)], lines[is_json.index(False)]
        raise UserError(
            f"{one.where} looks like a JSON record, but {other.where} does not. Say which they "
            f"are: --format=text, or --format=jsonl."
        )
    return "jsonl" if any(is_json) else "text"


class TaskInputs(Inputs):
    """What a task's preprocessors make of a split, in order, with all fields that are JSON.

    Args:
      name: of the task.
      split: of it.

    Raises:
      UserError: if there is none such, or it has no texts to read; later, what the task raises.
    """

    def __init__(self, name: str, split: str):
        task = get_mixture_or_task(name)
        if isinstance(task, Mixture):
            raise UserError(
                f"'{name}' is a mixture; name one of its tasks: "
                f"{', '.join(sorted(t.name for t in task.tasks))}."
            )
        if split not in task.splits:
            raise UserError(
                f"Task '{name}' has no split '{split}', only {', '.join(task.splits)}."
                + did_you_mean(split, task.splits)
            )
        if task.objective is not None or "inputs" not in task.output_features:
            raise UserError(
                f"Task '{name}' has no inputs as text: it is for training on what an objective "
                f"makes of its targets, or for language models. `t2t eval` tells its loss."
            )
        self._task, self._split = task, split
        self._lengths, self._seed = _LENGTHS, 0

    def __iter__(self) -> Iterator[Given]:
        rows = open_rows(self._task, self._split, self._lengths, use_cached=False)
        assert isinstance(rows, ExampleRows)
        key, numbers = randomness.fold(self._seed, self._task.name), itertools.count()
        for start in range(0, len(rows), _CHUNK):
            some = list(range(start, min(start + _CHUNK, len(rows))))
            for example in itertools.chain(
                *rows.texts(some, randomness.fold_array(key, np.array(some)))
            ):
                number = next(numbers)
                where = f"Example {number + 1} of task '{self._task.name}'"
                yield Given(number, _as_record(example, self._task), False, where)

    def read_as_trained(self, arguments: Mapping[str, Any]) -> None:
        self._lengths = {**_LENGTHS, **arguments.get("sequence_length", {})}
        self._seed = arguments.get("seed", 0)

    def about(self) -> int | None:
        return self._task.num_input_examples(self._split)


def _as_record(example: Example, task: Task) -> dict[str, Any]:
    record = {name: _as_json(value) for name, value in example.items() if name not in _ASKED}
    for name, feature in task.output_features.items():
        value = example.get(f"{name}_pretokenized", example.get(name))
        if value is not None and not isinstance(value, str):
            value = feature.vocabulary.decode(value)
        if value is not None:
            record[name] = value
    return record


def _as_json(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, dict):
        return {str(name): _as_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
