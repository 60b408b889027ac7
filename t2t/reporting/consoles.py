"""How tables are printed."""

from rich.console import Console
from rich.table import Table


def print_table(table: Table) -> None:
    """Prints it; where there is no terminal, in lines as long as columns that do not wrap need.

    On a terminal too narrow for them, all columns wrap.
    """
    console = Console()
    needed = 100
    if all(column.no_wrap for column in table.columns):
        needed = console.measure(table, options=console.options.update_width(1000)).maximum
    if not console.is_terminal:
        console = Console(width=max(console.width, needed))
    elif console.width < needed:
        for column in table.columns:
            column.no_wrap, column.overflow = False, "fold"
    console.print(table)
