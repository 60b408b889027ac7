"""Files on object stores and the like, by fsspec: "s3://bucket/part-*.jsonl", "gs://...".

They are read through copies in the cache folder, since examples are read at random.
"""

import hashlib
import logging
import shutil
from collections.abc import Mapping
from glob import has_magic
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec

from t2t.data.sources.cache_folder import cache_folder, written_atomically
from t2t.errors import UserError, described, did_you_mean

_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
# What changes when a file does, as the several file systems call it; the first that is there.
_VERSIONS = ("ETag", "etag", "generation", "md5Hash", "LastModified", "mtime", "created")
_BLOCK = 1 << 23

log = logging.getLogger(__name__)


def fetched_files(pattern: str, kind: str) -> list[Path]:
    """Local copies of the files of a remote path or glob, by name; fetched when they change.

    A copy's name is the file's, and its time is made of the file's version, so that what depends
    on either is the same on every machine.

    Args:
      pattern: with its protocol.
      kind: what messages call a file.

    Raises:
      UserError: if there is no such file, it cannot be read, its file system's package is missing,
        or the cache folder cannot be written.
    """
    protocol = pattern.split("://", 1)[0]
    try:
        system, path = fsspec.core.url_to_fs(pattern)
        found = _matches(system, path)
    except (ImportError, ValueError) as error:
        extra = _EXTRAS.get(protocol)
        hint = f" Install it with `pip install 't2t[{extra}]'`." if extra else ""
        raise UserError(
            f"{kind} '{pattern}': files of '{protocol}://' cannot be read: {error}.{hint}"
        ) from error
    except Exception as error:  # each file system has errors of its own
        raise UserError(f"{kind} '{pattern}' cannot be read: {described(error)}") from error
    if not found:
        raise UserError(f"{kind} '{pattern}' does not exist.{_hint(system, path)}")
    return [_copy(system, path, found[path], protocol, kind) for path in sorted(found)]


def _matches(system: fsspec.AbstractFileSystem, path: str) -> dict[str, Mapping[str, Any]]:
    # A name that has a bracket is a name if there is such a file.
    paths = [path] if system.isfile(path) else system.glob(path) if has_magic(path) else []
    facts = {path: system.info(path) for path in paths}
    return {path: facts for path, facts in facts.items() if facts["type"] == "file"}


def _hint(system: fsspec.AbstractFileSystem, path: str) -> str:
    try:
        if system.isdir(path):
            return " It is a folder; name the files: '…/*'."
        siblings = system.ls(str(PurePosixPath(path).parent), detail=False)
    except Exception:  # no such folder, or no right to list it
        return ""
    return did_you_mean(PurePosixPath(path).name, [PurePosixPath(name).name for name in siblings])


def _copy(
    system: fsspec.AbstractFileSystem, path: str, facts: Mapping[str, Any], protocol: str, kind: str
) -> Path:
    version = next((str(facts[name]) for name in _VERSIONS if facts.get(name)), "")
    where = hashlib.sha256(f"{protocol}://{path}".encode()).hexdigest()[:12]
    which = hashlib.sha256(f"{facts['size']} {version}".encode()).hexdigest()[:12]
    target = cache_folder() / "remote" / where / which / PurePosixPath(path).name
    if target.exists():
        return target
    log.info("fetching %s://%s (%s bytes)", protocol, path, f"{facts['size']:,}")
    try:
        modified = int(which, 16)
        with written_atomically(target, modified) as file, system.open(path, "rb") as source:
            shutil.copyfileobj(source, file, _BLOCK)
            if file.tell() != facts["size"]:
                raise UserError(
                    f"{kind} '{protocol}://{path}' broke off after {file.tell():,} of "
                    f"{facts['size']:,} bytes; try again."
                )
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"{kind} '{protocol}://{path}' cannot be fetched to '{target.parent}' (below "
            f"$T2T_CACHE_DIR): {described(error)}"
        ) from error
    return target
