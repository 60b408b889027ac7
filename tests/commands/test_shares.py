"""Records shared out over processes, here threads that meet as processes do."""

import contextlib
import threading

import jax
import pytest

from t2t import companions
from t2t.commands.shares import Shares
from t2t.errors import UserError


class Meeting:
    def __init__(self, count):
        self._barrier = threading.Barrier(count, timeout=60)

    def meet(self, name):
        self._barrier.wait()


def shares(monkeypatch, index, count, window):
    monkeypatch.setattr(jax, "process_index", lambda: index)
    monkeypatch.setattr(jax, "process_count", lambda: count)
    return Shares(window)


@pytest.mark.parametrize("records", [0, 1, 7, 12])
def test_what_three_write_is_joined_in_the_order_of_the_records(monkeypatch, tmp_path, records):
    meeting, written = Meeting(3), []
    monkeypatch.setattr(companions, "current", lambda: meeting)
    target = str(tmp_path / "out.txt")

    @contextlib.contextmanager
    def opened():
        yield lambda *what: written.append(what)

    def work(mine):
        with mine.joined(target, opened) as write:
            for number, item in zip(mine.numbers(), mine.mine(range(records)), strict=False):
                write(number, f"record {item}")

    each = [shares(monkeypatch, index, 3, window=2) for index in range(3)]
    threads = [threading.Thread(target=work, args=(mine,)) for mine in each]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert written == [(number, f"record {number}") for number in range(records)]
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_between_stays_what_it_is_and_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(companions, "current", lambda: Meeting(1))
    mine = shares(monkeypatch, 0, 2, window=2)
    opened = contextlib.nullcontext
    with pytest.raises(TimeoutError), mine.joined(str(tmp_path / "out.txt"), opened):
        raise TimeoutError("of a model, not of the file")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(companions, "current", lambda: Meeting(1))
    mine = shares(monkeypatch, 0, 2, window=2)
    target = str(tmp_path / "no" / "out.txt")
    with (
        pytest.raises(UserError, match=r"Cannot write beside '.*out.txt': No such file"),
        mine.joined(target, contextlib.nullcontext),
    ):
        pass
