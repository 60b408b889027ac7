"""What a lock needs of a file system, on disks and in object stores."""

import fsspec
import pytest

from t2t.training.lock_files import FilesOnDisk, ObjectsInStore


@pytest.fixture(params=["disk", "store"])
def files(request, tmp_path):
    if request.param == "disk":
        yield FilesOnDisk(tmp_path / "lock")
    else:
        yield ObjectsInStore("memory://bucket/run/lock")
        fsspec.filesystem("memory").rm("/", recursive=True)


def test_a_number_is_created_once(files):
    assert files.numbers() == []
    assert files.create(3)
    assert not files.create(3)
    assert files.create(4)
    assert sorted(files.numbers()) == [3, 4]


def test_what_was_written_last_is_read(files):
    files.create(1)
    for text in ("a long one", "short"):
        files.write(1, text)
        assert files.read(1).rstrip() == text
    assert files.read(2) is None


def test_a_file_that_is_gone_is_not_made_again(files):
    files.create(1)
    files.remove(1)
    files.remove(1)
    with pytest.raises(FileNotFoundError):
        files.write(1, "back")
    assert files.numbers() == []


class BrokenStore:
    def __getattr__(self, name):
        raise RuntimeError("503: try again later")  # each library has errors of its own


@pytest.mark.parametrize(
    ("method", "arguments"),
    [("create", [1]), ("write", [1, ""]), ("read", [1]), ("remove", [1]), ("numbers", [])],
)
def test_a_store_that_fails_is_out_of_reach_as_a_disk_may_be(method, arguments):
    files = ObjectsInStore("memory://bucket/run/lock")
    files._system = BrokenStore()
    with pytest.raises(OSError, match="try again later"):
        getattr(files, method)(*arguments)
