"""`t2t inspect`."""

import argparse
from typing import Any

from t2t.commands.parser import (
    add_caches,
    add_command,
    add_imports,
    import_modules,
    refuse,
    use_caches,
)
from t2t.errors import UserError


def add_to(commands: Any) -> None:
    """Adds the command to the parser."""
    command = add_command(commands, "inspect", run, "Show examples of a task at every stage.")
    command.add_argument("name", nargs="?", help="task or mixture; without it, lists all")
    command.add_argument("--split", default="train")
    command.add_argument("--count", type=int, metavar="N", help=
        "examples per task (default: 2; 0 with --lengths alone)")  # fmt: skip
    command.add_argument("--lengths", action="store_true", help=
        "token lengths, what is cut at the sequence lengths, and how full packed rows are"
    )  # fmt: skip
    command.add_argument("--sample", type=int, default=2000, metavar="N", help=
        "measure lengths over at most this many raw examples per task (default: 2000)")  # fmt: skip
    command.add_argument("--html", metavar="FILE", help=
        "write examples, lengths and packing to this page instead of the terminal")  # fmt: skip
    command.add_argument("--head", metavar="KIND", help=
        "classes, tags or spans: show the rows that such a head reads, and their labels"
    )  # fmt: skip
    command.add_argument("--inputs_length", type=int, default=512, metavar="N")
    command.add_argument("--targets_length", type=int, default=114, metavar="N")
    command.add_argument("--seed", type=int, default=0)
    add_caches(command)
    add_imports(command)


def run(args: argparse.Namespace, bindings: list[str]) -> int:
    """Runs the command."""
    refuse(bindings)
    from t2t.data.registry import get_mixture_or_task
    from t2t.reporting.inspection import Settings, all_lines, inspect, show

    import_modules(args.imports)
    use_caches(args)
    if args.name is None:
        show(all_lines())
        return 0
    settings = Settings(
        split=args.split,
        sequence_length={"inputs": args.inputs_length, "targets": args.targets_length},
        count=args.count if args.count is not None else 0 if args.lengths and not args.html else 2,
        sample=args.sample if args.lengths or args.html else None,
        seed=args.seed,
        head=args.head,
    )
    report = inspect(get_mixture_or_task(args.name), settings, args.html)
    if report.errors:
        raise UserError(report.errors[0])
    return 0
