"""Which folder holds the checkpoint, and in which of T5X's formats."""

import re
from pathlib import Path
from typing import NamedTuple

from t2t.errors import UserError

_STEP_FOLDER = re.compile(r"checkpoint_(\d+)")  # unfinished ones have a suffix


class Found(NamedTuple):
    """A checkpoint's folder.

    Attributes:
      folder: with the file `checkpoint` (legacy), or Orbax's item.
      format: "legacy" or "orbax".
      step: from the folder's name; None if it has none.
    """

    folder: Path
    format: str
    step: int | None


def find_checkpoint(directory: Path, step: int | None = None) -> Found:
    """The checkpoint that `directory` is, or the one of `step` (None: the newest) inside it.

    Raises:
      UserError: if there is none, or none of that step.
    """
    if not directory.is_dir():
        raise UserError(f"'{directory}' is no folder, so there is no T5X checkpoint to import.")
    if found := _recognise(directory):
        if step is not None and found.step != step:
            raise UserError(
                f"'{directory}' is the T5X checkpoint of step {found.step}, not of step {step}. "
                f"Give the folder above it to choose among several."
            )
        return found
    by_step = {
        found.step: found
        for child in sorted(directory.iterdir())
        if child.is_dir() and _STEP_FOLDER.fullmatch(child.name) and (found := _recognise(child))
    }
    if not by_step:
        raise UserError(
            f"'{directory}' is no T5X checkpoint and has none in it. Expected a folder "
            f"checkpoint_<step> with a file 'checkpoint' (T5X's own format) or a folder 'state' "
            f"(Orbax), or the folder above it."
        )
    steps = [s for s in by_step if s is not None]
    if step is not None and step not in by_step:
        raise UserError(
            f"'{directory}' has no T5X checkpoint of step {step}; it has those of "
            f"{', '.join(map(str, sorted(steps)))}."
        )
    return by_step[max(steps) if step is None else step]


def _recognise(folder: Path) -> Found | None:
    if (folder / "checkpoint").is_file():
        return Found(folder, "legacy", _step(folder))
    for item in (folder / "state", folder):
        if any((item / name).is_file() for name in ("_METADATA", "manifest.ocdbt")):
            return Found(item, "orbax", _step(folder))
    if any((folder / "state").glob("*/.zarray")):  # Orbax of 2022
        return Found(folder / "state", "orbax", _step(folder))
    return None


def _step(folder: Path) -> int | None:
    match = _STEP_FOLDER.fullmatch(folder.absolute().name)
    return int(match[1]) if match else None
