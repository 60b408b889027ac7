"""Where files are: those that come with t2t, and folders of runs."""

import atexit
import shutil
import tempfile
from pathlib import Path, PurePath
from typing import cast

from etils import epath

from t2t.errors import UserError, described
from t2t.optional import optional_import

_PACKAGE = Path(__file__).resolve().parent


def shipped(folder: str) -> Path:
    """The path of "gin" or "tasks": in a checkout beside the package, in a wheel in it."""
    inside = _PACKAGE / folder
    return inside if inside.is_dir() else _PACKAGE.parent / folder


def is_remote(path: str | PurePath) -> bool:
    """Whether it names an object store or the like, as "gs://bucket/file" does."""
    return "://" in str(path)


def run_folder(name: str | Path) -> Path:
    """The folder of a run, local or on gs://.

    Raises:
      UserError: without a name; for other object stores, which Orbax does not write to; if the
        bucket cannot be asked.
    """
    if not str(name):
        raise UserError(
            "The name of a run's folder is empty. (Is a variable of the shell not set?)"
        )
    if not is_remote(name):
        return Path(name).expanduser()
    if not str(name).startswith("gs://"):
        raise UserError(
            f"'{name}': a run's folder can be local, on a network file system, or on gs://; "
            f"checkpoints cannot be written to other object stores. Mount the bucket as a file "
            f"system."
        )
    optional_import("gcsfs", f"The folder '{name}'", extra="gcs")
    folder = cast(Path, epath.Path(name))  # the same methods, but for a few
    try:
        folder.exists()
    except Exception as error:  # of gcsfs, aiohttp or google.auth: they have no class in common
        raise UserError(
            f"'{name}' cannot be reached: {described(error)}. Is there a network, does the bucket "
            f"exist, and may you use it? (`gcloud auth application-default login`)"
        ) from error
    return folder


def local_copy(path: Path) -> Path:
    """The folder of files itself or, of a remote one, a copy until this process ends."""
    if not is_remote(path):
        return path
    temporary = Path(tempfile.mkdtemp(prefix="t2t-"))
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    copy = temporary / path.name
    copy.mkdir()
    for file in path.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return copy
