"""`t2t cache`."""

import argparse
import sys
from typing import Any

from t2t.commands.parser import (
    add_command,
    add_imports,
    import_modules,
    refuse,
)
from t2t.errors import UserError


def add_to(commands: Any) -> None:
    """Adds the command to the parser."""
    command = add_command(commands, "cache", run, "Tokenise tasks once, for training to read.")
    command.add_argument("--task", action="append", required=True, metavar="NAME", help=
        "task, or mixture for all its tasks; repeatable")  # fmt: skip
    command.add_argument("--split", action="append", default=[], help=
        "repeatable (default: all splits)")  # fmt: skip
    command.add_argument("--output_dir", required=True, metavar="DIR", help=
        "folder of all caches, local or gs://...; give it to training as --cache_dir")  # fmt: skip
    command.add_argument("--num_workers", type=int, default=1, metavar="N", help=
        "processes (default: 1)")  # fmt: skip
    command.add_argument("--beam", action="store_true", help=
        "build on Apache Beam instead; needs the extra 'beam'")  # fmt: skip
    command.add_argument("--beam_options", default="", metavar="OPTIONS", help=
        "options of the Beam pipeline, as one string: '--runner=DataflowRunner --project=...'"
    )  # fmt: skip
    add_imports(command)
    command.epilog = (
        "An interrupted command goes on where it was when it is run again.\n"
        "Example: t2t cache --task=spelling --output_dir=caches --num_workers=2"
    )


def run(args: argparse.Namespace, bindings: list[str]) -> int:
    """Runs the command."""
    refuse(bindings)
    from t2t.data.cache.command import cache_tasks

    import_modules(args.imports)
    if not args.output_dir:
        raise UserError("--output_dir is empty.")
    if args.beam_options and not args.beam:
        raise UserError("--beam_options is for --beam, which was not given.")
    beam_options = args.beam_options.split() if args.beam else None
    for line in cache_tasks(args.task, args.output_dir, args.split, args.num_workers, beam_options):
        print(line, flush=True)
    print(f"Train on it with: t2t train --cache_dir={args.output_dir} ...", file=sys.stderr)
    return 0
