import tarfile
from pathlib import Path

import pytest

from tests.interop.t5x import checkpoints

GOLDEN = Path(__file__).parents[2] / "golden" / "t5x_checkpoints.tar.gz"


@pytest.fixture(scope="session")
def golden(tmp_path_factory):
    """Folder with the checkpoints that T5X wrote."""
    folder = tmp_path_factory.mktemp("t5x")
    with tarfile.open(GOLDEN) as archive:
        archive.extractall(folder, filter="data")
    found = next(folder.rglob("models.json"))
    return found.parent


@pytest.fixture
def target():
    """T5X's parameters of a tiny T5 1.1, unrolled."""
    return checkpoints.random_target()
