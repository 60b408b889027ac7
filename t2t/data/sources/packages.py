"""Data that comes inside installed Python packages."""

import importlib.util
from pathlib import Path

from t2t.errors import UserError


def package_file(package: str, path: str, *, extra: str) -> Path:
    """Returns a file or folder inside `package`, which is found but not imported.

    Raises:
      UserError: if the package is not installed, naming the extra of t2t that brings it, or if it
        has no such file.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise UserError(
            f"The data is in the Python package '{package}', which is not installed. Install it "
            f"with `pip install 't2t[{extra}]'`."
        )
    found = Path(spec.origin).parent / path
    if not found.exists():
        raise UserError(
            f"Package '{package}' at {found.parent} has no '{path}': another version? `pip install "
            f"--upgrade --force-reinstall 't2t[{extra}]'` installs the tested one."
        )
    return found
