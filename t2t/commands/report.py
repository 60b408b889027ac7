"""`t2t report`."""

import argparse
from typing import Any

from t2t.commands.parser import add_command, refuse
from t2t.errors import UserError


def add_to(commands: Any) -> None:
    """Adds the command to the parser."""
    command = add_command(commands, "report", run, "Show what became of runs, as one page.")
    command.add_argument("model_dirs", nargs="+", metavar="MODEL_DIR", help=
        "folder of a run; several are laid over each other")  # fmt: skip
    command.add_argument("--output", metavar="FILE", help=
        "page to write (default: report.html), which needs nothing but a browser")  # fmt: skip
    command.add_argument("--serve", action="store_true", help=
        "serve the page to this machine instead, kept up to date while runs go on")  # fmt: skip
    command.add_argument("--port", type=int, metavar="N", help=
        "where --serve listens (default: 8008; 0 for any that is free)")  # fmt: skip


def run(args: argparse.Namespace, bindings: list[str]) -> int:
    """Runs the command."""
    refuse(bindings)
    if args.serve and args.output is not None:
        raise UserError("--serve writes no file: leave --output out.")
    if args.port is not None and not args.serve:
        raise UserError("--port is for --serve.")
    from t2t.reporting.run_report.command import serve_report, write_report

    if args.serve:
        serve_report(args.model_dirs, 8008 if args.port is None else args.port)
        return 0
    output = args.output or "report.html"
    write_report(args.model_dirs, output)
    print(f"Wrote {output}.")
    return 0
