"""What to say when a checkpoint cannot be saved or used."""

import re
import shutil
from collections.abc import Sequence

import jax
from etils import epath

from t2t.errors import UserError
from t2t.training.sealing import is_local


def check_space(directory: epath.Path, arrays: Sequence[jax.Array]) -> None:
    """Raises OSError if they do not fit on the disk: better than half a checkpoint written."""
    if not is_local(directory):
        return
    needed = sum(array.nbytes for array in arrays)
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise OSError(f"no space left: {needed:,} bytes are needed, {free:,} are free.")


def save_failed(
    directory: epath.Path, step: int | None, error: Exception, intact: int | None
) -> UserError:
    """The message.

    Args:
      directory: of the checkpoints.
      step: that was to be saved; None if that is not known.
      error: of Orbax or the system.
      intact: the newest step that is there.
    """
    kept = (
        "There is none before it."
        if intact is None
        else f"The checkpoint of step {intact} is intact."
    )
    what = f"of step {step} " if step is not None else ""
    return UserError(
        f"Saving a checkpoint {what}to '{directory}' failed: {first_line(error)} {kept}"
    )


def stopped_by(failure: UserError) -> UserError:
    """The message of `save_failed` with what to do, for training that stops because of it."""
    return UserError(
        f"{failure} Free some space or mend the folder, and run the same command again to go on "
        f"from it."
    )


def other_optimizer(checkpoint: epath.Path, differing: str) -> UserError:
    """The message for a state that is not of this run's optimiser; `differing` is how it shows."""
    return UserError(
        f"Checkpoint {checkpoint} has the state of another optimizer, or of other trained "
        f"parameters: {differing}. To change train.optimizer or train.trainable, start a new "
        f"MODEL_DIR with train.init_from set to this one."
    )


def first_line(error: BaseException) -> str:
    """The most telling line of a library's error: the innermost cause's first."""
    while error.__cause__ is not None:
        error = error.__cause__
    message = str(error).strip() or type(error).__name__
    full = re.search(r"No space left on device", message)
    return "no space left on device." if full else message.splitlines()[0][:300]
