import os
import stat
import time

import numpy as np
import pytest

from t2t.data.sources.offset_index import offset_index
from t2t.errors import UserError


class Scan:
    def __init__(self):
        self.calls = 0

    def __call__(self, write):
        self.calls += 1
        write(np.array([0, 10], np.int64))
        write(np.array([20], np.int64))
        return {"calls": self.calls}


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data" / "file.bin"
    path.parent.mkdir()
    path.write_bytes(b"x" * (1 << 20))
    return path


def files_of(folder):
    return sorted(p for p in folder.rglob("*") if p.is_file())


def test_the_second_reader_finds_what_the_first_wrote(data, cache_folder):
    scan = Scan()
    for _ in range(2):
        index = offset_index(data, "kind", scan)
        assert index.offsets.tolist() == [0, 10, 20]
        assert index.facts == {"calls": 1}
        assert len(index) == 2
        assert index.span(1) == (10, 20)
    assert scan.calls == 1
    assert not index.offsets.flags.writeable
    assert len(files_of(cache_folder)) == 1


def test_another_kind_is_another_index(data):
    scan = Scan()
    offset_index(data, "a", scan)
    offset_index(data, "b", scan)
    assert scan.calls == 2


def test_other_size_or_time_of_the_data_makes_it_anew(data):
    scan = Scan()
    offset_index(data, "kind", scan)
    os.utime(data, ns=(1, 1))
    offset_index(data, "kind", scan)
    data.write_bytes(b"x" * (2 << 20))
    os.utime(data, ns=(1, 1))
    offset_index(data, "kind", scan)
    assert scan.calls == 3


def test_a_small_file_keeps_no_index(tmp_path, cache_folder):
    path = tmp_path / "small"
    path.write_bytes(b"x" * 100)
    assert offset_index(path, "kind", Scan()).offsets.tolist() == [0, 10, 20]
    assert not files_of(cache_folder)


def test_without_a_cache_folder_given_it_is_beside_the_data(data, monkeypatch):
    monkeypatch.delenv("T2T_CACHE_DIR")
    scan = Scan()
    offset_index(data, "kind", scan)
    offset_index(data, "kind", scan)
    assert [p.name for p in data.parent.iterdir() if p != data] == [".file.bin.kind.t2t_index"]
    assert scan.calls == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser can write everywhere")
def test_a_folder_that_cannot_be_written_is_passed_over(data, monkeypatch, tmp_path):
    monkeypatch.delenv("T2T_CACHE_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    data.parent.chmod(stat.S_IRUSR | stat.S_IXUSR)
    offset_index(data, "kind", Scan())
    assert files_of(tmp_path / ".cache")


def test_the_cache_folder_comes_after_the_data_folder(data, monkeypatch, tmp_path):
    monkeypatch.delenv("T2T_CACHE_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    (data.parent / ".file.bin.kind.t2t_index").mkdir()  # so that no file can be there
    scan = Scan()
    offset_index(data, "kind", scan)
    assert scan.calls == 2  # the first result could not be put in its place
    offset_index(data, "kind", scan)
    assert scan.calls == 2
    assert len(files_of(tmp_path / ".cache")) == 1


def test_where_nothing_can_be_written_it_stays_in_memory(data, monkeypatch, tmp_path):
    (tmp_path / "a_file").write_text("")
    monkeypatch.setenv("T2T_CACHE_DIR", str(tmp_path / "a_file"))
    index = offset_index(data, "kind", Scan())
    assert index.offsets.tolist() == [0, 10, 20]
    assert index.offsets.flags.writeable


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b"",
        lambda b: b[:-1],
        lambda b: b[8:],
        lambda b: b"garbage" * 9,
        lambda b: b + b"x",
    ],
)
def test_a_damaged_index_is_made_again(data, cache_folder, damage):
    scan = Scan()
    offset_index(data, "kind", scan)
    [path] = files_of(cache_folder)
    damaged = damage(path.read_bytes())
    path.unlink()  # it is mapped
    path.write_bytes(damaged)
    assert offset_index(data, "kind", scan).offsets.tolist() == [0, 10, 20]
    assert scan.calls == 2


def test_a_scan_that_dies_leaves_nothing(data, cache_folder):
    def scan(write):
        write(np.zeros(9, np.int64))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        offset_index(data, "kind", scan)
    assert not files_of(cache_folder)


def test_what_a_killed_process_left_is_cleared_after_a_day(data, cache_folder, monkeypatch):
    offset_index(data, "kind", Scan())
    [path] = files_of(cache_folder)
    left = path.with_name(f"{path.name}.left.tmp")
    left.write_text("")
    os.utime(left, (0, 0))  # as files are that have the time of what they are copies of
    os.utime(data, ns=(1, 1))
    offset_index(data, "kind", Scan())
    assert left.exists()
    in_two_days = time.time() + 2 * 24 * 3600
    monkeypatch.setattr(time, "time", lambda: in_two_days)
    os.utime(data, ns=(2, 2))
    offset_index(data, "kind", Scan())
    assert not left.exists()


def test_data_that_change_during_the_scan_are_an_error(data, cache_folder):
    def scan(write):
        os.utime(data, ns=(1, 1))
        return Scan()(write)

    with pytest.raises(UserError, match=r"file\.bin' changed while it was being read"):
        offset_index(data, "kind", scan)
    assert not files_of(cache_folder)
