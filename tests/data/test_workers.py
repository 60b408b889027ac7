import contextlib
import itertools
import signal

import numpy as np
import pytest

from t2t.data.converters import HeadFeatureConverter
from t2t.data.heads import ClassRows, Framing
from t2t.data.pipeline import TrainPipeline
from t2t.data.registry import TaskRegistry
from t2t.data.vocabularies import ByteVocabulary
from t2t.data.workers import WorkerBatches
from t2t.errors import UserError
from tests.data import worker_tasks

LENGTHS = {"inputs": 32, "targets": 32}


def take(batches, count):
    return list(itertools.islice(batches, count))


def assert_same(steps, expected):
    assert len(steps) == len(expected)
    for (batch, positions), (other, other_positions) in zip(steps, expected, strict=True):
        np.testing.assert_array_equal(positions, other_positions)
        assert batch.keys() == other.keys()
        for name in batch:
            np.testing.assert_array_equal(batch[name], other[name], err_msg=name)


@contextlib.contextmanager
def workers(task, count=1, positions=None, patience=60.0, **fields):
    pipeline = TrainPipeline(task, LENGTHS, 8, **fields)
    with contextlib.closing(WorkerBatches(pipeline, count, positions, patience)) as batches:
        yield batches


def task(name):
    worker_tasks.register()
    return TaskRegistry.maybe_get(f"worker_{name}")


def test_any_number_of_workers_builds_the_batches_of_none_and_goes_on_from_anywhere():
    mixture = worker_tasks.register()
    expected = take(TrainPipeline(mixture, LENGTHS, 8).batches(), 6)
    with workers(mixture, 2) as batches:
        assert_same(take(batches, 6), expected)
    with workers(mixture, 4, expected[2][1]) as batches:
        assert_same(take(batches, 3), expected[3:])


def test_workers_make_rows_for_heads():
    labelled = task("labels")
    fields = {
        "converter": HeadFeatureConverter(labels_per_row=1),
        "head_rows": ClassRows(ByteVocabulary(100), Framing(None, 1), worker_tasks.LABELS),
    }
    expected = take(TrainPipeline(labelled, LENGTHS, 8, **fields).batches(), 2)
    assert expected[0][0]["encoder_labels"].shape == (8, 1)
    with workers(labelled, 2, **fields) as batches:
        assert_same(take(batches, 2), expected)


def test_a_dead_worker_is_an_error_at_once():
    with (
        workers(task("dies")) as batches,
        pytest.raises(UserError, match=r"A data worker \(process \d+\) died, exit code -9: killed"),
    ):
        next(batches)


def test_workers_leave_signals_to_training():
    expected = take(TrainPipeline(task("draws"), LENGTHS, 8).batches(), 8)
    with workers(task("draws")) as batches:
        steps = take(batches, 1)
        for number in (signal.SIGINT, signal.SIGTERM):
            batches._workers[0]._process.send_signal(number)
        assert_same(steps + take(batches, 7), expected)


def test_a_hung_worker_is_an_error_in_time():
    with (
        workers(task("hangs"), patience=1.0) as batches,
        pytest.raises(UserError, match=r"gave no batch for 1 s: .* hangs"),
    ):
        next(batches)


def test_a_bad_record_is_the_message_of_the_worker():
    with (
        workers(task("bad")) as batches,
        pytest.raises(UserError, match=r"Task 'worker_bad': .*_is_bad, .*: this record is bad"),
    ):
        next(batches)


def test_skipped_records_of_workers_are_counted():
    with workers(task("skips")) as batches:
        take(batches, 4)
        assert batches.skipped == {"worker_skips": 1}


def test_rows_that_workers_cannot_share_are_an_error():
    with pytest.raises(UserError, match="3 data workers do not divide the 8 rows of this host"):
        WorkerBatches(TrainPipeline(task("draws"), LENGTHS, 8), 3)


def test_what_is_not_registered_cannot_be_found_by_workers(make_task):
    with pytest.raises(UserError, match=r"no task or mixture called 'a'|'a' is not registered"):
        WorkerBatches(TrainPipeline(make_task("a"), LENGTHS, 8), 1)
    other = make_task(task("draws").name)
    with pytest.raises(UserError, match=r"'worker_draws' .* registered for another task"):
        WorkerBatches(TrainPipeline(other, LENGTHS, 8), 1)
