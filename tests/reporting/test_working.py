"""What is shown while records are worked on."""

import sys

import pytest

from t2t.decoding.prediction import Throughput
from t2t.reporting import working
from t2t.reporting.working import Working


def work(capsys, records=3, **options):
    """What is printed to standard error."""
    throughput = Throughput(tokens=60, compile_seconds=100.0)
    with Working(throughput, lambda: 7, **options) as shown:
        for _ in range(records):
            shown.advance()
        throughput.records, throughput.seconds = records, 1.5
    output = capsys.readouterr()
    assert output.out == ""
    return output.err


def clock(monkeypatch, step):
    times = iter(range(100, 10_000, step))
    monkeypatch.setattr(working.time, "monotonic", lambda: next(times))


def test_without_a_terminal_there_is_a_line_a_minute(capsys, monkeypatch):
    clock(monkeypatch, 40)
    first, second = work(capsys, 5).splitlines()[:2]
    assert first.startswith("2 records done: ")
    assert second == "4 records done: 0.1 records/s, 1 tokens/s"  # 60 s, compilation apart


def test_at_the_end_it_says_how_fast_it_was(capsys):
    assert work(capsys).startswith("3 records in 1.5 s: 2.0 records/s, 40 generated tokens/s")
    assert work(capsys, quiet=True) == ""


@pytest.mark.parametrize("prints", [False, True])
def test_a_terminal_has_a_bar_unless_results_go_there_too(capsys, monkeypatch, prints):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    clock(monkeypatch, 1)
    shown = work(capsys, prints=prints)
    assert ("3/7" in shown) != prints


def test_nothing_is_claimed_after_an_error(capsys):
    with pytest.raises(KeyError), Working(Throughput(), lambda: None):
        raise KeyError
    assert capsys.readouterr().err == ""
