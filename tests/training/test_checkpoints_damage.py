"""Damaged checkpoints are noticed, named, and not used; `damaging.py` tries many more places."""

import json
import logging
import shutil

import pytest

from t2t.errors import UserError
from t2t.training.checkpoints import Checkpoints
from t2t.training.manifest import _digest, damage
from tests.training.checkpointing import abstract, assert_newest, assert_same, at
from tests.training.damaging import Damage, every_damage, noticed, save, survived


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A run's checkpoints of steps 1 and 2, and the state of step 0; not to be changed."""
    folder = tmp_path_factory.mktemp("saved") / "checkpoints"
    return folder, save(folder)


@pytest.fixture
def run(saved, tmp_path):
    return shutil.copytree(saved[0], tmp_path / "checkpoints")


def biggest_file(folder):
    return max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)


def flip(path, bit=1):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= bit
    path.write_bytes(content)


def test_every_file_is_in_the_manifest_and_intact(saved):
    manifest = json.loads((saved[0] / "2" / "manifest.json").read_text())
    files = {p.relative_to(saved[0] / "2") for p in (saved[0] / "2").rglob("*") if p.is_file()}
    assert set(manifest["files"]) == {str(file) for file in files} - {"manifest.json"}
    assert manifest["format"] == 2
    assert damage(saved[0] / "2") is None


def test_any_damage_to_any_file_is_noticed(saved, run):
    original, copy = saved[0] / "2", run / "2"
    cases = list(every_damage(original, offsets=1))
    assert len({case.kind for case in cases}) == 8
    unnoticed = [(c.kind, c.file) for c in cases if not noticed(original, copy, c)]
    assert unnoticed == []
    assert damage(copy) is None  # each was mended


def test_the_parts_of_a_checkpoint_share_out_the_verification(saved, run):
    flip(biggest_file(run / "2"))
    problems = [damage(run / "2", part, 3) for part in range(3)]
    assert len([problem for problem in problems if problem]) == 1


@pytest.mark.parametrize("file", ["_CHECKPOINT_METADATA", "metrics/metrics", "manifest.json"])
def test_training_goes_on_from_the_step_before(saved, tmp_path, caplog, file):
    """Of files that Orbax reads as soon as it opens the folder; and see below."""
    case = Damage("truncated", file, lambda folder: (folder / file).write_bytes(b"{"))
    with caplog.at_level(logging.WARNING):
        assert survived(saved[0], case, tmp_path, saved[1])
    lines = [record.message for record in caplog.records if record.name.startswith("t2t")]
    assert any("checkpoint of step 2 is damaged" in line and file in line for line in lines)
    assert any("using the checkpoint of step 1" in line for line in lines)


def test_readers_use_the_step_before_and_move_nothing(saved, run):
    file = biggest_file(run / "2")
    flip(file)
    assert_newest(run, saved[1], 1)
    with Checkpoints(run) as checkpoints:
        params, step = checkpoints.restore_params(abstract().params)
        assert step == 1
        assert_same(params, at(saved[1], 1).params)
        assert checkpoints.params_folder().parent.name == "1"
        with pytest.raises(UserError, match="does not match its checksum") as error:
            checkpoints.restore_params(abstract().params, 2)  # asked for
        assert str(file) in str(error.value)
    assert not (run.parent / "damaged").exists()


def test_if_none_is_intact_training_does_not_begin_anew(saved, run):
    for step in "12":
        flip(biggest_file(run / step))
    for _ in range(2):  # the second attempt finds what the first found
        with Checkpoints(run) as checkpoints:
            with pytest.raises(UserError, match=r"None of the check.*does not match its checksum"):
                checkpoints.restore(abstract())
            assert checkpoints.steps() == [1, 2]


def test_a_later_format_is_refused_and_not_taken_for_damage(run):
    path = run / "2" / "manifest.json"
    content = json.loads(path.read_text()) | {"format": 3}
    del content["sha256"]
    path.write_text(json.dumps(content | {"sha256": _digest(content)}))
    with (
        Checkpoints(run) as checkpoints,
        pytest.raises(UserError, match=r"format 3; this version of t2t knows formats up to 2"),
    ):
        checkpoints.restore(abstract())


def test_hidden_files_of_file_systems_do_no_harm(run, saved):
    (run / "2" / ".DS_Store").touch()
    (run / "2" / "params" / ".nfs0001").touch()
    assert_newest(run, saved[1], 2)
