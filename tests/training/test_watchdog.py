"""Hangs are told with stacks, and only hangs."""

import subprocess
import sys
import threading
import time

import pytest

from t2t.data.prefetching import prefetch
from t2t.errors import UserError
from t2t.training.watchdog import EXIT_CODE, Watchdog

PATIENT = 60.0


def wait_for(capfd, *texts, patience=PATIENT):
    """Everything printed to stderr until all of `texts` are there."""
    found, deadline = "", time.monotonic() + patience
    while not all(text in found for text in texts) and time.monotonic() < deadline:
        found += capfd.readouterr().err
        time.sleep(0.02)
    return found


def stuck_in_a_source(release):
    release.wait()
    yield 1


def wait_for_a_batch(release):
    """As the loop does, for a source that hangs in the thread that builds batches."""
    next(prefetch(stuck_in_a_source(release)))


def test_stacks_of_all_threads_are_printed_again_and_again_while_nothing_happens(capfd):
    release = threading.Event()
    source = threading.Thread(target=wait_for_a_batch, args=(release,))
    source.start()
    with Watchdog(seconds=0.1, patience=PATIENT).watching() as watch:
        watch.step_done()
        for _ in range(2):
            found = wait_for(capfd, "in stuck_in_a_source", "in wait_for_a_batch")
            assert "no training step was done for 0.1 s" in found
            assert "in wait_for_a_batch" in found
    release.set()
    source.join()


def test_steps_in_time_and_what_takes_patience_are_left_alone(capfd):
    with Watchdog(seconds=PATIENT, patience=PATIENT).watching() as watch:
        for _ in range(3):
            watch.step_done()
    with Watchdog(seconds=0.05, patience=PATIENT).watching() as watch:
        time.sleep(0.2)  # before the first step
        with watch.patiently():
            time.sleep(0.2)
        watch.close()
    assert not capfd.readouterr().err


def test_it_ends_the_process_if_asked_to():
    code = """
import time
from t2t.training.watchdog import Watchdog
with Watchdog(seconds=0.1, patience=0.1, end_process=True).watching():
    time.sleep(600)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == EXIT_CODE == 75
    assert "most recent call first" in ended.stderr
    assert "ending process" in ended.stderr


@pytest.mark.parametrize("settings", [{"seconds": 0.0}, {"patience": -1.0}])
def test_no_time_at_all_is_refused(settings):
    with pytest.raises(UserError, match="must be above 0"):
        Watchdog(**settings)
