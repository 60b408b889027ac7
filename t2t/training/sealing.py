"""How a checkpoint gets its name: only once all files and their manifest are there."""

import asyncio
from typing import Any

from etils import epath
from orbax.checkpoint import path as ocp_path

from t2t.training.manifest import write_manifest

UNFINISHED = ocp_path.atomicity_types.TMP_DIR_SUFFIX
"""In the names of folders that are being written, or were when their writer was killed."""


class SealedPath(ocp_path.atomicity_types.TemporaryPath):
    """Where a checkpoint is written before it is complete; to be `temporary_path_class` of Orbax.

    On a disk, Orbax's own commit ends at another temporary name. The manifest is added there, and
    a rename makes it a checkpoint: at no time is there a folder with a step's name that lacks
    anything. Object stores have no such rename: there the manifest, written last, says that the
    checkpoint is complete.
    """

    def __init__(self, committed: Any, final_path: epath.Path):
        """`committed` is Orbax's own path, which ends at another name than `final_path`, or not."""
        self._committed = committed
        self._final_path = final_path

    @classmethod
    async def validate(cls, temporary_path: epath.Path) -> None:
        """As Orbax's own for that file system."""
        await _default(temporary_path).validate(temporary_path)

    @classmethod
    async def validate_final(cls, final_path: epath.Path) -> None:
        """As Orbax's own for that file system."""
        await _default(final_path).validate_final(final_path)

    @classmethod
    def from_temporary(cls, temporary_path: epath.Path, **options: Any) -> Any:
        """What to remove: Orbax's own path."""
        return _default(temporary_path).from_temporary(temporary_path, **options)

    @classmethod
    def from_final(
        cls, final_path: epath.Path, *, checkpoint_metadata_store: Any = None, **options: Any
    ) -> Any:
        """A path to be sealed for checkpoints; Orbax's own for the items in them."""
        if checkpoint_metadata_store is None:  # only checkpoints have one
            return _default(final_path).from_final(final_path, **options)
        options["checkpoint_metadata_store"] = checkpoint_metadata_store
        if not is_local(final_path):
            return cls(_default(final_path).from_final(final_path, **options), final_path)
        temporary = final_path.with_name(final_path.name + UNFINISHED)
        unsealed = final_path.with_name(final_path.name + UNFINISHED + "-unsealed")
        return cls(_default(final_path)(temporary, unsealed, **options), final_path)

    def get(self) -> epath.Path:
        """Where Orbax writes."""
        return self._committed.get()

    def get_final(self) -> epath.Path:
        """The checkpoint's folder."""
        return self._final_path

    async def create(self) -> epath.Path:
        """Makes the folder to write to; called by the primary process."""
        return await self._committed.create()

    async def finalize(self) -> None:
        """Called by the primary process, in the background, once all have written all files."""
        await self._committed.finalize()
        committed = self._committed.get_final()
        await asyncio.to_thread(write_manifest, committed)
        if committed != self._final_path:
            await asyncio.to_thread(committed.rename, self._final_path)


def is_local(path: epath.PathLike) -> bool:
    """Whether it is on a disk, where folders can be renamed, and not in an object store."""
    return "://" not in str(path)


def _default(path: epath.Path) -> Any:
    return ocp_path.atomicity_defaults.get_default_temporary_path_class(path)
