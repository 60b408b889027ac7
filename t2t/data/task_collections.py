"""Many tasks at once, from JSON Lines files: instruction collections such as FLAN's."""

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from t2t.data.features import Feature
from t2t.data.mixtures import Mixture, mixing_rate_num_examples
from t2t.data.registry import MixtureRegistry, TaskRegistry
from t2t.data.sources import ByFieldDataSource, DataSource, FieldIndex, JsonLinesDataSource
from t2t.data.sources.files import FilePatterns, matching_files
from t2t.errors import UserError
from t2t.paths import is_remote

FLAN_MAXIMUM = 3000
"""Examples that a task counts for at most, in FLAN (arXiv 2109.01652, section 2.4)."""

_SUFFIXES = re.compile(r"(\.jsonl|\.json|\.gz)+$")
_OTHER = re.compile(r"[^\w.]")


def add_collection(
    name: str,
    files: FilePatterns | str | Path | Sequence[str | Path],
    output_features: Mapping[str, Feature],
    *,
    field: str | None = None,
    values: Sequence[str] = (),
    maximum: float | None = FLAN_MAXIMUM,
    temperature: float = 1.0,
    on_bad_record: str = "raise",
    **fields: Any,
) -> Mixture:
    """Registers the tasks of a collection, and their mixture, in proportion to their sizes.

    A task is what one file holds, called `name:file` (files of one name are one task), or with
    `field` what has one of its values there, called `name:value`; other characters than letters,
    digits, "_" and "." become "_". No file is opened before it is needed: to count, or to draw
    from.

    Args:
      name: of the mixture.
      files: JSON Lines files, plain or gzip, of objects with "inputs" and "targets": a folder, a
        path or glob, or several; or those of each split. All of the split "train" if not said.
      output_features: of every task.
      field: of the objects, such as "_task_name", where files hold more than one task.
      values: of the field; each is a task. `FieldIndex` finds those there are.
      maximum: examples that a task counts for at most; None for all it has.
      temperature: above 1 evens out the rates.
      on_bad_record: "raise" or "skip".
      **fields: other fields of every `Task`: preprocessors, metric_fns, postprocess_fn.

    Raises:
      UserError: if there are no such files, two tasks get the same name, or only one of `field` and
        `values` is given.
    """
    if bool(field) != bool(values):
        raise UserError(
            f"Collection '{name}': a task for each value of a field needs both, field= and values=."
            f" Those in the files are `list(FieldIndex(JsonLinesDataSource({{'train': files}}), "
            f"field)['train'])`."
        )
    given_by_split = files if isinstance(files, Mapping) else {"train": files}
    listed = {split: _listed(given) for split, given in given_by_split.items()}
    if field:
        index = FieldIndex(JsonLinesDataSource(listed, on_bad_record=on_bad_record), field)
        sources: dict[str, DataSource] = {v: ByFieldDataSource(index, v) for v in values}
    else:
        sources = {
            task: JsonLinesDataSource(by_split, on_bad_record=on_bad_record)
            for task, by_split in _by_task(name, listed).items()
        }
    tasks = [
        TaskRegistry.add(
            f"{name}:{_OTHER.sub('_', part)}",
            source=source,
            output_features=output_features,
            **fields,
        )
        for part, source in sources.items()
    ]
    rate = functools.partial(mixing_rate_num_examples, maximum=maximum, temperature=temperature)
    return MixtureRegistry.add(name, tasks, default_rate=rate)


def _listed(given: str | Path | Sequence[str | Path]) -> list[str | Path]:
    """Patterns of files; of a folder, its JSON Lines files."""
    patterns = [given] if isinstance(given, str | Path) else list(given)
    found: list[str | Path] = []
    for pattern in patterns:
        if not is_remote(pattern) and Path(pattern).expanduser().is_dir():
            folder = Path(pattern).expanduser()
            inside = sorted([*folder.glob("*.jsonl"), *folder.glob("*.jsonl.gz")])
            if not inside:
                raise UserError(f"The folder '{folder}' has no files *.jsonl or *.jsonl.gz.")
            found += inside
        else:
            found.append(pattern)
    return found


def _by_task(
    name: str, patterns: Mapping[str, Sequence[str | Path]]
) -> dict[str, dict[str, list[Path]]]:
    """Task -> split -> its files."""
    tasks: dict[str, dict[str, list[Path]]] = {}
    for split, given in patterns.items():
        for pattern in given:
            if is_remote(pattern):
                raise UserError(
                    f"Collection '{name}': '{pattern}' would have to be fetched to see which files "
                    f"there are. Copy them here, or tell tasks apart by field= and values=."
                )
            for path in matching_files(str(pattern), JsonLinesDataSource.kind):
                task = tasks.setdefault(_SUFFIXES.sub("", path.name), {})
                task.setdefault(split, []).append(path)
    return tasks
