"""Checksums of a checkpoint's files: Orbax notices missing and truncated ones, not flipped bits."""

import concurrent.futures
import hashlib
import json
from pathlib import Path

from t2t.replacing import replacing

NAME = "manifest.json"


def write_manifest(folder: Path) -> None:
    """Records size and SHA-256 of every file under `folder`, atomically, in `manifest.json`."""
    entries = dict(zip(_files(folder), _map(folder, _facts), strict=True))
    with replacing(folder / NAME) as partial:
        partial.write_text(json.dumps(entries, indent=1))


def damage(folder: Path) -> str | None:
    """What is wrong with the files under `folder` compared with its manifest; None if nothing is.

    A checkpoint whose writer was killed between committing it and writing the manifest has none;
    it is complete, and passes.
    """
    if not (folder / NAME).exists():
        return None
    try:
        expected = json.loads((folder / NAME).read_text())
    except ValueError:
        return f"{folder / NAME} is not readable"
    found = dict(zip(_files(folder), _map(folder, _facts), strict=True))
    for name, facts in expected.items():
        if name not in found:
            return f"{folder / name} is missing"
        if found[name]["bytes"] != facts["bytes"]:
            return f"{folder / name} has {found[name]['bytes']} bytes instead of {facts['bytes']}"
        if found[name] != facts:
            return f"{folder / name} does not match its checksum (flipped bits?)"
    return None


def _files(folder: Path) -> list[str]:
    paths = sorted(p for p in folder.rglob("*") if p.is_file())
    return [str(p.relative_to(folder)) for p in paths if not p.name.startswith(NAME)]


def _map(folder: Path, function):
    with concurrent.futures.ThreadPoolExecutor() as pool:  # hashing releases the GIL
        return list(pool.map(lambda name: function(folder / name), _files(folder)))


def _facts(path: Path) -> dict[str, int | str]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}
