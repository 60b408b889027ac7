"""What a checkpoint consists of: its format's version, and checksums of all files.

Orbax notices missing and truncated files, not flipped bits. The manifest is written before the
checkpoint gets its name (`sealing.py`), so a checkpoint without one is damaged.

    {"format": 2, "files": {"params/d/…": {"bytes": 123, "sha256": "…"}, …}, "sha256": "…"}

The last is of the rest, as JSON without spaces and with sorted keys. In format 1 the manifest was
the value of "files" alone.
"""

import concurrent.futures
import hashlib
import json
from typing import Any

from etils import epath

from t2t.errors import UserError

NAME = "manifest.json"
FORMAT = 2
"""Version of what is written now. Every version up to it can be read, for ever."""


def write_manifest(folder: epath.PathLike) -> None:
    """Records format, sizes and SHA-256 sums of every file under `folder` in `manifest.json`."""
    folder = epath.Path(folder)
    names = _files(folder)
    content = {"format": FORMAT, "files": dict(zip(names, _facts(folder, names), strict=True))}
    (folder / NAME).write_text(json.dumps(content | {"sha256": _digest(content)}, indent=1))


def damage(folder: epath.PathLike, part: int = 0, parts: int = 1) -> str | None:
    """What is wrong with the files under `folder` compared with its manifest; None if nothing is.

    Args:
      folder: of the checkpoint.
      part: of the files, to share them out: every `parts`-th is read, beginning with this one.
      parts: how many share them.

    Raises:
      UserError: if the checkpoint is in a format of a later version.
    """
    folder = epath.Path(folder)
    try:
        expected = _expected_files(folder)
        found = _files(folder)
        if missing := sorted(expected.keys() - set(found)):
            return f"{folder / missing[0]} is missing"
        if added := sorted(set(found) - expected.keys()):
            return f"{folder / added[0]} does not belong there"
        names = found[part::parts]
        for name, facts in zip(names, _facts(folder, names), strict=True):
            if facts["bytes"] != expected[name]["bytes"]:
                return (
                    f"{folder / name} has {facts['bytes']} bytes instead of "
                    f"{expected[name]['bytes']}"
                )
            if facts != expected[name]:
                return f"{folder / name} does not match its checksum (flipped bits?)"
    except UserError:
        raise
    except FileNotFoundError as error:
        return f"{error.filename or folder / NAME} is missing"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{folder / NAME} cannot be made sense of, or a file be read: {error!r}"
    return None


def _expected_files(folder: epath.Path) -> dict[str, dict[str, Any]]:
    content = json.loads((folder / NAME).read_bytes())
    if "format" not in content:  # format 1
        return content
    stated = content.pop("sha256")
    if stated != _digest(content):
        raise ValueError("its own checksum does not match")
    if content["format"] > FORMAT:
        raise UserError(
            f"Checkpoint {folder} is in format {content['format']}; this version of t2t knows "
            f"formats up to {FORMAT}. Use the version that wrote it, or a later one."
        )
    return content["files"]


def _digest(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _files(folder: epath.Path, inside: str = "") -> list[str]:
    """All but the manifest; hidden files are file systems' own (.DS_Store, .nfs…)."""
    names = []
    for path in folder.iterdir():  # epath has no rglob
        name = inside + path.name
        if path.is_dir():
            names += _files(path, f"{name}/")
        elif name != NAME and not path.name.startswith("."):
            names.append(name)
    return sorted(names)


def _facts(folder: epath.Path, names: list[str]) -> list[dict[str, int | str]]:
    """Size and SHA-256 of each."""

    def facts(name: str) -> dict[str, int | str]:
        with (folder / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
            return {"bytes": file.tell(), "sha256": digest}

    with concurrent.futures.ThreadPoolExecutor() as pool:  # hashing releases the GIL
        return list(pool.map(facts, names))
