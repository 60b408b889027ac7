"""Comparisons of two models as tables."""

import math
from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from t2t.evaluation.comparison import Difference
from t2t.reporting.consoles import print_table


def print_differences(by_task: Mapping[str, Sequence[Difference]], names: tuple[str, str]) -> None:
    """Prints a table for each task, with a row for each metric.

    Args:
      by_task: what was found.
      names: of both models.
    """
    print(f"A: {names[0]}\nB: {names[1]}")
    for task, differences in by_task.items():
        table = Table(title=task, title_justify="left")
        table.add_column("metric", no_wrap=True)
        for column in ("A", "B", "B - A [95 %]", "B better", "p", "wins/losses/ties"):
            table.add_column(column, justify="right", no_wrap=True)
        for row in differences:
            table.add_row(row.metric, *map(Text, _cells(row)))
        print_table(table)


def _cells(row: Difference) -> list[str]:
    counts = [row.wins, row.losses, row.ties]
    shown = "/".join(map(str, counts)) if row.wins is not None else ""
    if math.isnan(row.p_value):
        return [f"{row.first:.3f}", f"{row.second:.3f}", "undefined", "", "", shown]
    change = f"{row.second - row.first:+.3f} {row.interval}"
    return [
        f"{row.first:.3f}",
        f"{row.second:.3f}",
        change,
        f"{row.better:.1%}",
        f"{row.p_value:.4f}",
        shown,
    ]
