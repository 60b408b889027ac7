"""Super-NaturalInstructions as published: a clone of github.com/allenai/natural-instructions."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from t2t.data import randomness
from t2t.data.sources.archives import data_folder
from t2t.data.sources.base import DataSource, Example
from t2t.errors import UserError, did_you_mean

_CLONE = "git clone --depth 1 https://github.com/allenai/natural-instructions"
_SPLIT_FILES = {"train": "train_tasks", "validation": "train_tasks", "test": "test_tasks"}


class NaturalInstructionsDataSource(DataSource):
    """Instances of the tasks that the lists of a track name; the setting of arXiv 2204.07705.

    "train" has a choice of each training task's instances, "validation" others of the same tasks,
    and "test" the first of each test task, which the authors put there for that purpose. The tasks
    of a split are read one after the other when it is first needed, and what is chosen is kept in
    memory. An example has "id", "input", "output" (several texts), "task_name", "definition",
    "category", "positive_examples", and "negative_examples".

    Args:
      folder: the clone; None for "natural-instructions" in $T2T_DATA_DIR (~/.cache/t2t/data).
      track: folder of its "splits": "default" is the English one, "xlingual" the other.
      max_instances: of each training task; None for all but those for validation.
      validation_instances: of each training task.
      test_instances: of each test task; None for all.
      seed: of the choice.

    Raises:
      UserError: when first needed, if the clone, the track or a task is not there or damaged.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        track: str = "default",
        max_instances: int | None = 100,
        validation_instances: int = 10,
        test_instances: int | None = 100,
        seed: int = 0,
    ):
        self._folder, self._track, self._seed = folder, track, seed
        self._train, self._test = max_instances, test_instances
        self._validation = validation_instances
        self._read: dict[str, list[Example]] = {}

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(_SPLIT_FILES)

    def files(self, split: str) -> tuple[Path, ...]:
        self._check(split)
        root = self._root()
        lists = root / "splits" / self._track / f"{_SPLIT_FILES[split]}.txt"
        try:
            names = lists.read_text(encoding="utf-8").split()
        except OSError as error:
            tracks = sorted(path.name for path in (root / "splits").glob("*/"))
            raise UserError(
                f"The list of tasks '{lists}' cannot be read: {error.strerror}. The tracks in "
                f"'{root}' are {', '.join(tracks) or 'none'}." + did_you_mean(self._track, tracks)
            ) from error
        return tuple(root / "tasks" / f"{name}.json" for name in names)

    def __getstate__(self):
        return {**self.__dict__, "_read": {}}

    def _root(self) -> Path:
        root = Path(self._folder).expanduser() if self._folder else None
        root = root or data_folder() / "natural-instructions"
        if not (root / "tasks").is_dir():
            raise UserError(
                f"Super-NaturalInstructions is not in '{root}'. Fetch it with `{_CLONE} {root}`, "
                f"or name another folder: T2T_DATA_DIR, or the source's argument folder."
            )
        return root

    def _examples(self, split: str) -> Sequence[Example]:
        if split not in self._read:
            parts: dict[str, list[Example]] = {"test": []}
            if split != "test":
                parts = {"train": [], "validation": []}
            for path in self.files(split):
                for part, chosen in self._chosen(path, split).items():
                    parts[part] += chosen
            self._read |= parts
        return self._read[split]

    def _chosen(self, path: Path, split: str) -> dict[str, list[Example]]:
        common, instances = _read_task(path)
        if split == "test":
            places = {"test": list(range(len(instances)))[: self._test]}
        else:
            key = randomness.fold(self._seed, path.stem)
            drawn = randomness.generator(key).permutation(len(instances)).tolist()
            size = max(0, len(drawn) - self._validation) if self._train is None else self._train
            places = {"train": drawn[:size], "validation": drawn[size:][: self._validation]}
        return {
            part: [{**common, **_instance(path, instances[i])} for i in chosen]
            for part, chosen in places.items()
        }


def _read_task(path: Path) -> tuple[dict[str, Any], list[Mapping[str, Any]]]:
    """What all instances of a task share, and the instances."""
    try:
        task = json.loads(path.read_text(encoding="utf-8"))
        common = {
            "task_name": path.stem,
            "definition": _first(task["Definition"]),
            "category": _first(task.get("Categories", "")),
            "positive_examples": task.get("Positive Examples", []),
            "negative_examples": task.get("Negative Examples", []),
        }
        return common, task["Instances"]
    except OSError as error:
        raise UserError(f"The task file '{path}' cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
        raise UserError(_damaged(path, error)) from error


def _instance(path: Path, instance: Mapping[str, Any]) -> dict[str, Any]:
    try:
        output = instance["output"]
        return {
            "id": instance.get("id", ""),
            "input": instance["input"],
            "output": [output] if isinstance(output, str) else output,
        }
    except (TypeError, AttributeError, KeyError) as error:
        raise UserError(_damaged(path, error)) from error


def _damaged(path: Path, error: Exception) -> str:
    reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
    return (
        f"'{path}' is no task of Super-NaturalInstructions: {reason}. Restore it with "
        f"`git -C {path.parent} checkout {path.name}`."
    )


def _first(value: str | Sequence[str]) -> str:
    return value if isinstance(value, str) else value[0]
