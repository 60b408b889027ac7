"""A process that saves is killed: what it had saved is there; `killing.py` does it for longer."""

from tests.training.killing import Kill, attempt


def test_killed_again_and_again(tmp_path):
    """Each process goes on from what the one before left."""
    folder = tmp_path / "checkpoints"
    left = attempt(folder, Kill())  # lives
    assert left.operation is None
    assert left.restored == left.committed == 3
    operations = []
    for count in (6, 38, 80, 110):  # early and late in a save, and in a deletion
        left = attempt(folder, Kill(operation=count))
        operations.append(left.operation)
    assert None not in operations
    assert len(set(operations)) == 4
    for seconds in (0.05, 0.15):
        left = attempt(folder, Kill(seconds=seconds))
    last = attempt(folder, Kill())
    assert last.restored == (left.restored or 0) + 3
    assert all(path.name.isdecimal() for path in folder.iterdir())  # nothing unfinished is left
