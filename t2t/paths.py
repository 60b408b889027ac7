"""Where files that come with t2t lie: in a checkout beside the package, in a wheel in it."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped(folder: str) -> Path:
    """Returns the path of "gin" or "tasks"."""
    inside = _PACKAGE / folder
    return inside if inside.is_dir() else _PACKAGE.parent / folder
