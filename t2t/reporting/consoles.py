"""Where tables are printed."""

from rich.console import Console


def wide_console() -> Console:
    """Wide enough for the tables also where there is no terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, 100))
