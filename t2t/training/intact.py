"""Which checkpoint to use: the newest that is as it was written."""

import contextlib
import logging
from collections.abc import Sequence

import fsspec
import jax
import numpy as np
from etils import epath
from jax.experimental import multihost_utils

from t2t.errors import UserError
from t2t.training.manifest import damage
from t2t.training.sealing import is_local

log = logging.getLogger(__name__)


def choose(
    directory: epath.Path, steps: Sequence[int], step: int | None
) -> tuple[int | None, list[int]]:
    """The step to use, and newer ones that are damaged; each of these is named in the log.

    Args:
      directory: with a folder for each step.
      steps: that are there, ascending.
      step: the one to use; None for the newest that is intact, or None if there are none at all.

    Raises:
      UserError: if the one asked for is not there or damaged; if there are some, and none is
        intact; if one is in a format of a later version.
    """
    if step is not None:
        if step not in steps:
            raise UserError(
                f"There is no checkpoint of step {step} in '{directory}'; there are "
                f"{', '.join(map(str, steps)) or 'none'}."
            )
        if problem := _damage(directory / str(step)):
            raise UserError(
                f"The checkpoint of step {step} is damaged: {problem}. Ask for another, or for "
                f"none to use the newest intact one."
            )
        return step, []
    problems: dict[int, str] = {}
    for candidate in reversed(steps):
        problem = _damage(directory / str(candidate))
        if problem is None:
            if problems:
                log.warning("using the checkpoint of step %d instead", candidate)
            return candidate, list(problems)
        problems[candidate] = problem
        log.warning("the checkpoint of step %d is damaged, and not used: %s", candidate, problem)
    if problems:
        raise UserError(
            f"None of the checkpoints in '{directory}' is intact; in the newest, "
            f"{problems[steps[-1]]}. Mend it, or move them away to begin anew."
        )
    return None, []


def set_aside(directory: epath.Path, steps: Sequence[int]) -> None:
    """Moves damaged checkpoints to `damaged/` beside `directory`: their steps can be saved again.

    Of earlier damaged ones of the same steps nothing is left.
    """
    aside = directory.parent / "damaged"
    if jax.process_index() == 0:
        aside.mkdir(parents=True, exist_ok=True)
        for step in steps:
            with contextlib.suppress(OSError):
                (aside / str(step)).rmtree(missing_ok=True)
            _move(directory / str(step), aside / str(step))
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices("damaged checkpoints set aside")
    log.warning("moved to %s: %s", aside, ", ".join(map(str, steps)))


def _move(folder: epath.Path, target: epath.Path) -> None:
    if is_local(folder):
        folder.rename(target)
    else:  # there, a folder is but the beginning of names
        system, path = fsspec.core.url_to_fs(str(folder))
        system.mv(path, str(target), recursive=True)


def _damage(folder: epath.Path) -> str | None:
    """What is wrong with a checkpoint; processes share out the files, and agree."""
    index, count = jax.process_index(), jax.process_count()
    problem = damage(folder, index, count)
    if count > 1:
        bad = np.asarray(multihost_utils.process_allgather(np.array(problem is not None)))
        if problem is None and bad.any():
            return f"process {int(bad.argmax())} found so, and names the file in its log"
    return problem
