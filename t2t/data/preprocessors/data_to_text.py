"""Data as one line of text, for generation from data: fields of the GEM benchmark (2102.01672)."""

from collections.abc import Mapping, Sequence
from typing import Any

from t2t.data.preprocessors.fields import decoded, field, text, texts
from t2t.data.sources import Example
from t2t.errors import UserError

DIALOG_ACTS = (
    *("AFFIRM", "AFFIRM_INTENT", "CONFIRM", "GOODBYE", "INFORM", "INFORM_COUNT", "INFORM_INTENT"),
    *("NEGATE", "NEGATE_INTENT", "NOTIFY_FAILURE", "NOTIFY_SUCCESS", "OFFER", "OFFER_INTENT"),
    *("REQUEST", "REQUEST_ALTS", "REQ_MORE", "SELECT", "THANK_YOU"),
)
"""Of Schema-Guided Dialogue, in the order of TFDS's class labels."""


def dialog_acts(example: Example) -> str:
    """`inform(city=Rome, Bonn) goodbye()` from the field "dialog_acts"."""
    acts = field(example, "dialog_acts")
    told = []
    for act, slot, values in zip(acts["act"], acts["slot"], acts["values"], strict=True):
        name, slot = DIALOG_ACTS[int(act)].lower(), decoded(slot)
        given = ", ".join(decoded(value) for value in values)
        told.append(f"{name}({slot}{'=' if slot and given else ''}{given})")
    return " ".join(told)


def highlighted_cells(example: Example) -> str:
    """`page: ... section: ... cells: 3 (Goals, 1990) | ...`: a table of ToTTo (arXiv 2004.14373).

    In brackets are the cell's headers, those above it and those to its left.

    Raises:
      UserError: if a highlighted cell is not in the table.
    """
    rows = _cells(field(example, "table"))
    told = []
    for number, place in (map(int, pair) for pair in field(example, "highlighted_cells")):
        try:
            cell = rows[number][place]
        except IndexError:
            raise UserError(f"the table has no cell {place} in row {number}.") from None
        headers = [
            other["value"]
            for row in rows[: number + 1]
            for other in row
            if other["is_header"] and other is not cell and _heads(other, cell)
        ]
        told.append(cell["value"] + (f" ({', '.join(headers)})" if headers else ""))
    page, section = text(example, "table_page_title"), text(example, "table_section_title")
    return f"page: {page} section: {section} cells: {' | '.join(told)}"


def joined(name: str, separator: str) -> Any:
    """The texts of a field with a separator between them, as a function of the example."""
    return lambda example: separator.join(texts(example, name))


def _heads(header: Mapping[str, Any], cell: Mapping[str, Any]) -> bool:
    """Whether a cell is under the header, or to its right."""
    under = header["columns"] & cell["columns"] and max(header["rows"]) < min(cell["rows"])
    right = header["rows"] & cell["rows"] and max(header["columns"]) < min(cell["columns"])
    return bool(under or right)


def _cells(table: Mapping[str, Sequence[Sequence[Any]]]) -> list[list[dict[str, Any]]]:
    """By row, with the rows and columns of the grid that each spans."""
    taken: set[tuple[int, int]] = set()
    rows = []
    for number, values in enumerate(table["value"]):
        row, column = [], 0
        for place, value in enumerate(values):
            while (number, column) in taken:
                column += 1
            height = int(table["row_span"][number][place])
            width = int(table["column_span"][number][place])
            rows_spanned = set(range(number, number + max(height, 1)))
            columns = set(range(column, column + max(width, 1)))
            taken |= {(r, c) for r in rows_spanned for c in columns}
            is_header = bool(table["is_header"][number][place])
            cell = {"value": decoded(value), "is_header": is_header}
            row.append({**cell, "rows": rows_spanned, "columns": columns})
        rows.append(row)
    return rows
