import numpy as np
import pytest

from t2t.data.preprocessors.data_to_text import dialog_acts, highlighted_cells, joined
from t2t.errors import UserError


def table(rows):
    """Rows of (value, is_header, column_span, row_span), as TFDS reads nested sequences."""
    names = ("value", "is_header", "column_span", "row_span")
    return {
        name: [np.array([cell[i] for cell in row], object) for row in rows]
        for i, name in enumerate(names)
    }


# Year | Team | Goals ------ |
#      |      | home  | away |
# 1990 | B    | 3     | 4    |
TABLE = table(
    [
        [(b"Year", 1, 1, 2), (b"Team", 1, 1, 2), (b"Goals", 1, 2, 1)],
        [(b"home", 1, 1, 1), (b"away", 1, 1, 1)],
        [(b"1990", 1, 1, 1), (b"B", 0, 1, 1), (b"3", 0, 1, 1), (b"4", 0, 1, 1)],
    ]
)


def described(cells, rows=TABLE):
    example = {
        "table": rows,
        "highlighted_cells": [np.array(cell) for cell in cells],
        "table_page_title": "P",
        "table_section_title": "S",
    }
    return highlighted_cells(example).removeprefix("page: P section: S cells: ")


def test_cells_have_the_headers_above_and_to_the_left_whatever_they_span():
    assert described([(2, 3)]) == "4 (Goals, away, 1990)"
    assert described([(2, 2), (2, 1)]) == "3 (Goals, home, 1990) | B (Team, 1990)"
    assert described([(1, 0)]) == "home (Year, Team, Goals)"  # Year and Team reach down to it
    assert described([(0, 0)]) == "Year"
    assert described([]) == ""


def test_a_cell_that_is_not_there_is_named():
    with pytest.raises(UserError, match="no cell 9 in row 2"):
        described([(2, 9)])


def test_acts_have_their_slots_and_values():
    acts = {
        "act": [4, 12 + 1, 3, 15],
        "slot": [b"city", b"date", b"", b""],
        "values": [np.array([b"Rome", b"Bonn"], object), np.array([], object), [], []],
    }
    told = dialog_acts({"dialog_acts": acts})
    assert told == "inform(city=Rome, Bonn) request(date) goodbye() req_more()"


def test_texts_are_joined():
    assert joined("words", ", ")({"words": [b"a", "b"]}) == "a, b"
