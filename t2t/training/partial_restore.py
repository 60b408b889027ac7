"""Reading some of the parameters of a checkpoint, of which one need not know the model."""

from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from t2t.errors import UserError
from t2t.models.definition import Params


def stored_params(folder: Path) -> Params:
    """Shapes and dtypes of what is stored in `Checkpoints.params_folder`.

    Raises:
      UserError: if it cannot be read.
    """
    try:
        with ocp.PyTreeCheckpointer() as checkpointer:
            stored: Any = checkpointer.metadata(folder).item_metadata.tree
    except Exception as error:
        raise _unreadable(folder, error) from error
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), stored)


def restore_part(folder: Path, abstract: Params) -> Params:
    """The parameters that `abstract` names, on its shardings; nothing else is read.

    Raises:
      UserError: if they cannot be read.
    """
    restore = ocp.args.PyTreeRestore(
        abstract,
        restore_args=ocp.checkpoint_utils.construct_restore_args(abstract),
        partial_restore=True,
    )
    try:
        with ocp.PyTreeCheckpointer() as checkpointer:
            return checkpointer.restore(folder, args=restore)
    except Exception as error:
        raise _unreadable(folder, error) from error


def _unreadable(folder: Path, error: Exception) -> UserError:
    return UserError(f"Parameters in {folder} cannot be read: {type(error).__name__}: {error}")
