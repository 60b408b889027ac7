"""Small pieces of the page."""

import math
from collections.abc import Sequence

from t2t.reporting.html.markup import Markup, tag


def part(name: str, *content: str, element: str = "section") -> Markup:
    """What the live page replaces as a whole when it changes."""
    return tag(element, *content, id=name, data_part="")


def run_name(place: int, name: str) -> Markup:
    """In the colour of the run."""
    return tag("span", name, class_=f"run run-{place % 8}")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, facts: bool = False) -> Markup:
    """Numbers to the right of the first column; with `facts`, texts, which may wrap."""
    head = [tag("th", head, scope="col") for head in heads]
    kind = None if facts else "n"
    body = [
        tag("tr", *(tag("td", cell, class_=kind if i else None) for i, cell in enumerate(row)))
        for row in rows
    ]
    return tag(
        "div",
        tag("table", tag("thead", tag("tr", *head)), tag("tbody", *body)),
        class_="scroll facts" if facts else "scroll",
        tabindex=0,
        role="region",
        aria_label=", ".join(heads) if not facts else None,
    )


def count(value: int) -> str:
    """`12,345`."""
    return f"{value:,}"


def number(value: float) -> str:
    """Four digits."""
    if not math.isfinite(value):
        return "not a number"
    if abs(value) >= 10_000:
        return large(value)
    return f"{value:.4g}"


def large(value: float) -> str:
    """`1.23 M`."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g}"


def duration(seconds: float) -> str:
    """`2 h 5 min`, `3 min 20 s`, `1.2 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours / 24:.1f} days"
