import numpy as np
import pytest

from t2t.decoding.length_buckets import (
    Bucket,
    buckets,
    length_class,
    padded,
    sizes_of,
    windows,
)


@pytest.mark.parametrize(
    ("length", "expected"), [(0, 16), (1, 16), (16, 16), (17, 32), (32, 32), (33, 64), (1000, 1024)]
)
def test_classes_are_powers_of_two_from_16(length, expected):
    assert length_class(length) == expected


@pytest.mark.parametrize(
    ("length", "most", "expected"), [(600, 1000, 1000), (3, 10, 10), (9, 8, 9)]
)
def test_a_class_has_no_more_positions_than_the_model(length, most, expected):
    assert length_class(length, most=most) == expected


@pytest.mark.parametrize("batch_size", [1, 3, 7, 64])
def test_every_sequence_is_in_one_bucket_that_holds_it(batch_size):
    lengths = np.random.default_rng(0).integers(0, 200, 37).tolist()
    found = list(buckets(lengths, batch_size))
    assert sorted(i for bucket in found for i in bucket.members) == list(range(37))
    for bucket in found:
        assert len(bucket.members) <= bucket.rows
        assert max(lengths[i] for i in bucket.members) <= bucket.length
    assert [b.length for b in found] == sorted(b.length for b in found)


def test_many_sequences_give_one_shape_per_class():
    lengths = np.random.default_rng(1).integers(0, 65, 1001).tolist()
    shapes = {(bucket.rows, bucket.length) for bucket in buckets(lengths, 8)}
    assert shapes == {(8, 16), (8, 32), (8, 64)}


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (2, 2), (3, 4), (5, 6), (6, 6), (7, 6)])
def test_few_sequences_fill_a_small_batch(count, rows):
    assert {bucket.rows for bucket in buckets([5] * count, 6)} == {rows}


@pytest.mark.parametrize(("count", "rows"), [(1, 4), (4, 4), (5, 6), (7, 6)])
def test_batches_are_not_smaller_than_asked_for(count, rows):
    assert {bucket.rows for bucket in buckets([5] * count, 6, least_rows=4)} == {rows}


def test_nothing_gives_no_buckets():
    assert list(buckets([], 4)) == []


def test_padding_stands_behind_or_in_front():
    sequences = [np.array([5, 6, 7]), np.array([], int), np.array([8])]
    bucket = Bucket([2, 0, 1], 4, 4)
    behind = [[8, 0, 0, 0], [5, 6, 7, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(padded(sequences, bucket, 0), behind)
    np.testing.assert_array_equal(sizes_of(sequences, bucket), [1, 3, 0, 0])
    in_front = [[9, 9, 9, 8], [9, 5, 6, 7], [9, 9, 9, 9], [9, 9, 9, 9]]
    np.testing.assert_array_equal(padded(sequences, bucket, 9, in_front=True), in_front)


def test_windows_are_read_as_they_are_needed():
    read = []
    stream = windows((read.append(i) or i for i in range(40)), 2)
    assert next(stream) == list(range(16))
    assert len(read) == 16
    assert [len(window) for window in stream] == [16, 8]
