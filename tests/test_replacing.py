"""Files appear whole; writers of the same one do not disturb each other."""

import pytest

from t2t.replacing import replacing


def test_the_target_appears_at_the_end(tmp_path):
    target = tmp_path / "a.json"
    with replacing(target) as partial:
        partial.write_text("new")
        assert not target.exists()
        assert partial.parent == tmp_path  # or renaming would not be atomic
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert target.read_text() == "new"


def test_two_writers_of_one_file_each_write_their_own(tmp_path):
    target = tmp_path / "a.json"
    with replacing(target) as first, replacing(target) as second:
        first.write_text("first")
        second.write_text("second")
        assert first.read_text() == "first"
    assert target.read_text() == "first"  # which was left last
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("written", [True, False])
def test_a_failure_leaves_everything_as_it_was(tmp_path, error, written):
    target = tmp_path / "a.json"
    target.write_text("old")
    with pytest.raises(error), replacing(target) as partial:
        if written:
            partial.write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == [target]
    assert target.read_text() == "old"
