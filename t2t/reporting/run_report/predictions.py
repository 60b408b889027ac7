"""What a model said of the same examples at successive steps."""

import contextlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

_FILE = re.compile(r"(.+)-(\d+)\.jsonl")
_MOST_READ = 500  # examples of a file
_MOST_STEPS = 12

Key = tuple[str, str]


class Said(NamedTuple):
    """A prediction, and whether it is right: as its target, or one of its targets."""

    text: str
    right: bool


class Predictions(NamedTuple):
    """Of a task.

    Attributes:
      steps: of evaluations, at most a dozen: the first, the last and some between.
      examples: (inputs, targets) of those that all these steps have -> what was said, by step.
    """

    steps: Sequence[int]
    examples: Mapping[Key, Sequence[Said]]


class PredictionReader:
    """Reads each file once."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._files: dict[str, dict[Key, Said]] = {}

    def read(self) -> dict[str, Predictions]:
        """By task; nothing of files that are not records of predictions."""
        paths: dict[str, dict[int, Path]] = {}
        for path in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
            if found := _FILE.fullmatch(path.name):
                paths.setdefault(found[1], {})[int(found[2])] = path
        found_of = {task: self._of_task(of_task) for task, of_task in paths.items()}
        return {task: found for task, found in found_of.items() if found.examples}

    def _of_task(self, paths: Mapping[int, Path]) -> Predictions:
        said = {step: self._said(paths[step]) for step in _spread(sorted(paths), _MOST_STEPS)}
        said = {step: of_step for step, of_step in said.items() if of_step}
        if not said:
            return Predictions((), {})
        newest = said[max(said)]
        common = [key for key in newest if all(key in of_step for of_step in said.values())]
        return Predictions(
            list(said), {key: [of_step[key] for of_step in said.values()] for key in common}
        )

    def _said(self, path: Path) -> dict[Key, Said]:
        if path.name not in self._files:
            records: dict[Key, Said] = {}
            with contextlib.suppress(OSError), path.open("rb") as file:
                for _, line in zip(range(_MOST_READ), file, strict=False):
                    with contextlib.suppress(ValueError, KeyError, TypeError):
                        key, said = _record(json.loads(line))
                        records.setdefault(key, said)
            self._files[path.name] = records
        return self._files[path.name]


def interesting(said: Mapping[Key, Sequence[Sequence[Said]]], most: int) -> list[Key]:
    """Examples to show, of several kinds: learnt, lost again, still wrong, right all along.

    Args:
      said: of each example, what each run said.
      most: how many.
    """

    def kind(runs: Sequence[Sequence[Said]]) -> int:
        ends = [said[-1].right for said in runs]
        ever = any(one.right for said in runs for one in said)
        always = all(one.right for said in runs for one in said)
        if len(set(ends)) > 1:
            return 0  # runs disagree
        if always:
            return 3
        return 1 if ends[0] else (2 if ever else 4)

    groups: dict[int, list[Key]] = {}
    for key, runs in said.items():
        groups.setdefault(kind(runs), []).append(key)
    chosen: list[Key] = []
    order = [groups[k] for k in sorted(groups)]
    for place in range(max(map(len, order), default=0)):
        for group in order:
            if place < len(group) and len(chosen) < most:
                chosen.append(group[place])
    return chosen


def _record(read: Mapping[str, Any]) -> tuple[Key, Said]:
    said, target = str(read["prediction"]), str(read.get("targets", ""))
    value, wanted = read.get("prediction_value"), read.get("target_value")
    right = said.strip() == target.strip()
    if value is not None and wanted is not None:
        right = right or value == wanted or (isinstance(wanted, list) and value in wanted)
    inputs = str(read.get("inputs", ""))
    return (f"{inputs}\n{read['pair']}" if read.get("pair") else inputs, target), Said(said, right)


def _spread(steps: Sequence[int], most: int) -> list[int]:
    if len(steps) <= most:
        return list(steps)
    places = {round(i * (len(steps) - 1) / (most - 1)) for i in range(most)}
    return [steps[place] for place in sorted(places)]
