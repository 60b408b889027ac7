import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from t2t.decoding.batcher import Batcher, in_order, numbered
from t2t.decoding.prediction import Numbered
from t2t.errors import UserError


def test_records_are_numbered_and_strings_are_inputs():
    found = list(numbered(["a", {"inputs": "b", "id": 3}]))
    assert found == [Numbered(0, {"inputs": "a"}), Numbered(1, {"inputs": "b", "id": 3})]
    assert [asked.name for asked in found] == ["Record 1", "Record 2"]


def test_windows_are_worked_on_as_they_are_asked_for():
    taken, windows = [], []
    items = (taken.append(i) or i for i in range(20))
    batcher = Batcher(1)
    results = batcher.by_window(items, lambda window: windows.append(window) or map(str, window))
    assert taken == []
    assert next(results) == "0"
    assert taken == list(range(8))
    assert list(results) == list(map(str, range(1, 20)))
    assert windows == [list(range(8)), list(range(8, 16)), list(range(16, 20))]
    assert batcher.throughput.records == 20


@pytest.mark.parametrize(
    ("what", "kind", "message"),
    [
        ("RESOURCE_EXHAUSTED: Out of memory", UserError, "with batches of 3: lower --batch_size"),
        ("INTERNAL: broken", jax.errors.JaxRuntimeError, "INTERNAL: broken"),
    ],
)
def test_what_is_to_be_done_without_enough_memory(what, kind, message):
    def work(window):
        raise jax.errors.JaxRuntimeError(what)

    with pytest.raises(kind, match=message):
        next(Batcher(3).by_window([1], work))


def test_neither_waiting_for_items_nor_compilation_counts(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    batcher = Batcher(1, "read")

    def items():
        now[0] += 100
        yield 1

    def work(window):
        now[0] += 5
        batcher.throughput.compile_seconds += 3
        return window

    for _ in batcher.by_window(items(), work):
        now[0] += 1000
    assert (batcher.throughput.seconds, batcher.throughput.compile_seconds) == (2, 3)
    batcher.throughput.tokens = 8
    assert batcher.throughput.describe() == (
        "1 records in 2.0 s: 0.5 records/s, 4 read tokens/s (besides 3.0 s to compile for 0 shapes)"
    )


def test_rows_come_back_in_the_order_of_the_lengths():
    lengths = [20, 3, 17, 5, 4]
    started = []

    def start(bucket):
        started.append(bucket)
        own = np.zeros(bucket.rows, np.int32)
        own[: len(bucket.members)] = [lengths[i] for i in bucket.members]
        return {"own": jnp.array(own), "length": np.full((bucket.rows, 2), bucket.length)}

    rows = Batcher(2).by_length(lengths, None, start)
    assert [int(row["own"]) for row in rows] == lengths
    assert [row["length"].tolist() for row in rows] == [[n, n] for n in (32, 16, 32, 32, 16)]
    assert [bucket.rows for bucket in started] == [2, 2, 2]
    assert Batcher(2).by_length([], None, start) == []


def test_places_may_be_spread_over_batches():
    assert in_order([([2, 0], np.array([5, 6, 7])), ([1], np.array([8]))], 3) == [6, 8, 5]


def test_the_size_of_batches_is_checked():
    with pytest.raises(UserError, match="batch_size must be at least 1, got 0"):
        Batcher(0)
