import itertools

import numpy as np
import pytest

from t2t.data.randomness import fold, generator, random_bits


@pytest.mark.parametrize(
    ("key", "expected"),
    [  # what the reference implementation in C prints for these seeds
        (0, [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]),
        (1234567, [6457827717110365317, 3203168211198807973, 9817491932198370423]),
    ],
)
def test_random_bits_are_those_of_splitmix64(key, expected):
    bits = random_bits(np.array([key], np.uint64), 3)
    assert bits.dtype == np.uint64
    assert bits[0].tolist() == expected


def test_bits_of_a_row_depend_on_its_key_alone():
    keys = np.array([5, 2**64 - 1, 7], np.uint64)
    together = random_bits(keys, 20)
    for row, key in enumerate(keys):
        np.testing.assert_array_equal(random_bits(keys[row : row + 1], 20)[0], together[row])
        np.testing.assert_array_equal(random_bits(np.array([key]), 9)[0], together[row, :9])


def test_bits_are_balanced_in_every_position():
    bits = random_bits(np.arange(200, dtype=np.uint64), 50).reshape(-1)
    shares = [((bits >> np.uint64(b)) & np.uint64(1)).mean() for b in range(64)]
    assert np.abs(np.array(shares) - 0.5).max() < 0.025  # five standard deviations


def test_fold_is_pinned_for_positions_of_old_runs_to_stay_valid():
    assert fold(0, 1) == 13757245211066428519
    assert fold(0, "spelling", 3) == 6798528293252834689


def test_fold_gives_distinct_keys():
    grid = itertools.product(range(4), ["a", "b", "sotu_span_corruption"], range(1000))
    keys = [fold(*parts) for parts in grid]
    assert len(set(keys)) == len(keys)
    assert all(0 <= key < 2**64 for key in keys)


def test_fold_chains_and_minds_the_order():
    assert fold(9, 1, "x") == fold(fold(9, 1), "x")
    assert fold(9, 1, 2) != fold(9, 2, 1)


def test_fold_takes_numpy_integers():
    assert fold(3, np.int64(12)) == fold(3, 12)


def test_generator_is_a_function_of_its_key():
    assert generator(4).integers(2**62) == generator(4).integers(2**62)
    assert generator(4).integers(2**62) != generator(5).integers(2**62)
    assert generator(2**64 - 1).random() < 1
