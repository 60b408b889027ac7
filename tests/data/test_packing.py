import numpy as np
import pytest

from t2t.data.packing import RowBuilder, pack_next_fit

LENGTHS = {"inputs": 10, "targets": 5}


def example(inputs, targets):
    return {"inputs": np.ones(inputs, np.int32), "targets": np.ones(targets, np.int32)}


def sizes(rows):
    return [[(len(e["inputs"]), len(e["targets"])) for e in row] for row in rows]


@pytest.mark.parametrize(
    ("examples", "expected"),
    [
        ([], []),
        ([(4, 2), (6, 3)], [[(4, 2), (6, 3)]]),
        ([(4, 2), (7, 1)], [[(4, 2)], [(7, 1)]]),
        ([(4, 4), (1, 2)], [[(4, 4)], [(1, 2)]]),
        ([(10, 5)] * 2, [[(10, 5)], [(10, 5)]]),
        ([(9, 1), (9, 1), (1, 1)], [[(9, 1)], [(9, 1), (1, 1)]]),  # in order: no look ahead or back
        ([(11, 1), (1, 1)], [[(11, 1)], [(1, 1)]]),
    ],
)
def test_rows_take_examples_in_order_while_every_feature_fits(examples, expected):
    assert sizes(pack_next_fit([example(*size) for size in examples], LENGTHS)) == expected


def test_a_row_says_whether_it_took_the_example():
    row = RowBuilder(LENGTHS)
    first, last = example(9, 1), example(1, 4)
    assert row.add(first)
    assert not row.add(example(2, 1))
    assert row.add(last)
    assert row.examples == [first, last]


def test_an_empty_row_takes_what_is_too_long():
    row = RowBuilder(LENGTHS)
    assert row.add(example(99, 99))
    assert not row.add(example(0, 1))


def test_features_without_a_length_do_not_count():
    row = RowBuilder({"targets": 5})
    assert row.add(example(99, 2))
    assert row.add(example(99, 3))
