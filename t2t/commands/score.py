"""`t2t score`."""

import argparse
import contextlib
import functools
import itertools
import sys
from typing import Any

from t2t.commands.parser import (
    add_command,
    add_processes,
    add_trained,
    join_processes,
    load,
    prepare_jax,
    refuse,
    speaks_for_all,
)
from t2t.commands.shares import Shares


def add_to(commands: Any) -> None:
    """Adds the command to the parser."""
    command = add_command(commands, "score", run, "Tell how likely a model finds given texts.")
    add_trained(command)
    add_processes(command)
    command.add_argument("--input", default="-", metavar="FILE", help=
        "JSON lines with 'targets', a text, or 'candidates', a list of texts to rank, and "
        "'inputs' before them (default: standard input)")  # fmt: skip
    command.add_argument("--output", default="-", metavar="FILE", help="default: standard output")
    command.add_argument("--per_token", action="store_true", help=
        "write the log-probability of every token, too")  # fmt: skip
    command.add_argument("--normalize", action="store_true", help=
        "divide log-likelihoods by numbers of tokens")  # fmt: skip
    command.add_argument("--batch_size", type=int, default=64, metavar="N")
    command.add_argument("--quiet", action="store_true", help="do not print how fast it was")
    command.epilog = (
        'Example: echo \'{"inputs": "correct: recieve", "candidates": ["receive", "relieve"]}\' '
        "| t2t score --model_dir runs/quickstart"
    )


def run(args: argparse.Namespace, bindings: list[str]) -> int:
    """Runs the command."""
    refuse(bindings)
    from t2t.decoding.length_buckets import window_size
    from t2t.reporting.lines import read_lines
    from t2t.reporting.records import open_output

    with contextlib.ExitStack() as stack:
        lines = read_lines(args.input, stack)
        prepare_jax()
        join_processes(args)
        shares = Shares(window_size(args.batch_size))
        shares.check(args.input, args.output)
        from t2t.decoding.scoring_records import either
        from t2t.reporting.scores import as_json

        scorer = load(args, own_devices=True).scorer(batch_size=args.batch_size)
        read, given = itertools.tee((line.record(), line.where) for line in shares.mine(lines))
        found = scorer.score_all(either(record, where) for record, where in read)
        opened = functools.partial(open_output, args.output)
        write = stack.enter_context(shares.joined(args.output, opened))
        for (record, _), scored in zip(given, found, strict=True):
            line = as_json(
                record,
                scored,
                vocabulary=scorer.vocabulary,
                ranked="candidates" in record,
                normalize=args.normalize,
                per_token=args.per_token,
            )
            write(line)
    if not args.quiet and speaks_for_all():
        print(scorer.throughput.describe(), file=sys.stderr)
    return 0
