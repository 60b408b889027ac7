import pytest

from t2t.errors import UserError
from t2t.interop.t5x.folders import find_checkpoint


@pytest.fixture
def run(tmp_path):
    """A folder with checkpoints of both formats, an unfinished one and other things."""
    for name in ("checkpoint_9", "checkpoint_10", "checkpoint_12.tmp-1690", "train"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "checkpoint").write_bytes(b"")
    (tmp_path / "checkpoint_100" / "state").mkdir(parents=True)
    (tmp_path / "checkpoint_100" / "state" / "_METADATA").write_text("{}")
    (tmp_path / "checkpoint_200").mkdir()
    return tmp_path


def test_the_newest_by_number(run):
    found = find_checkpoint(run)
    assert found == (run / "checkpoint_100" / "state", "orbax", 100)


def test_a_step(run):
    assert find_checkpoint(run, 9) == (run / "checkpoint_9", "legacy", 9)
    with pytest.raises(UserError, match="no T5X checkpoint of step 11; it has those of 9, 10, 100"):
        find_checkpoint(run, 11)


def test_the_checkpoint_itself(run):
    assert find_checkpoint(run / "checkpoint_10") == (run / "checkpoint_10", "legacy", 10)
    assert find_checkpoint(run / "checkpoint_100").step == 100
    assert find_checkpoint(run / "checkpoint_10", 10).step == 10
    with pytest.raises(UserError, match="is the T5X checkpoint of step 10, not of step 9"):
        find_checkpoint(run / "checkpoint_10", 9)


def test_orbax_of_2022(tmp_path):
    (tmp_path / "checkpoint_3" / "state" / "target.scale").mkdir(parents=True)
    (tmp_path / "checkpoint_3" / "state" / "target.scale" / ".zarray").write_text("{}")
    assert find_checkpoint(tmp_path) == (tmp_path / "checkpoint_3" / "state", "orbax", 3)


def test_not_t5x(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match="is no T5X checkpoint and has none in it"):
        find_checkpoint(tmp_path)
    with pytest.raises(UserError, match="is no folder"):
        find_checkpoint(tmp_path / "model.safetensors")
