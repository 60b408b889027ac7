"""`t2t embed`."""

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
    command = add_command(commands, "embed", run, "Turn texts into vectors.")
    add_trained(command)
    add_processes(command)
    command.add_argument("--input", default="-", metavar="FILE", help=
        "text, one per line, or JSON lines with a field 'inputs' (default: standard input)"
    )  # fmt: skip
    command.add_argument("--output", default="-", metavar="FILE", help=
        ".npy, .npz (for every token) or .jsonl (default: JSON lines on standard output)"
    )  # fmt: skip
    command.add_argument("--format", choices=("auto", "text", "jsonl"), default="auto", help=
        "of the input; auto: jsonl if the first line is a JSON object")  # fmt: skip
    command.add_argument("--pooling", choices=("mean", "first", "last", "tokens"), default="mean",
        help="of a text's tokens (default: mean); tokens: a vector for each")  # fmt: skip
    command.add_argument("--normalize", action="store_true", help="to vectors of length 1")
    command.add_argument("--max_input_length", type=int, metavar="N", help=
        "tokens of a text, special ones included (default: what the model can read)"
    )  # fmt: skip
    command.add_argument("--truncate", action="store_true", help="cut longer texts")
    command.add_argument("--batch_size", type=int, default=64, metavar="N")
    command.add_argument("--quiet", action="store_true", help="do not print how fast it was")
    command.epilog = (
        "Example: t2t embed --model_dir runs/bert --input texts.txt --output vectors.npy"
    )


def run(args: argparse.Namespace, bindings: list[str]) -> int:
    """Runs the command."""
    refuse(bindings)
    from t2t.decoding.length_buckets import window_size
    from t2t.decoding.prediction import Numbered
    from t2t.reporting.records import read_inputs
    from t2t.reporting.vectors import check_format, open_vectors

    check_format(args.output, per_token=args.pooling == "tokens")
    with contextlib.ExitStack() as stack:
        records = read_inputs(args.input, args.format, stack)
        prepare_jax()
        join_processes(args)
        shares = Shares(window_size(args.batch_size))
        shares.check(args.input, args.output)
        from t2t.decoding.reading import InputLimit

        limit = InputLimit(args.max_input_length, args.truncate)
        trained = load(args, own_devices=True)
        embedder = trained.embedder(
            args.pooling, args.normalize, limit=limit, batch_size=args.batch_size
        )
        opened = functools.partial(open_vectors, args.output, embedder.vocabulary, embedder.width)
        write = stack.enter_context(shares.joined(args.output, opened))
        read, given = itertools.tee(shares.mine(records.items))
        numbered = zip(shares.numbers(), read, strict=False)
        embeddings = embedder.embed(Numbered(number, record) for number, (record, _) in numbered)
        for (record, _), embedding in zip(given, embeddings, strict=True):
            write(record, embedding)
    if not args.quiet and speaks_for_all():
        print(embedder.throughput.describe(), file=sys.stderr)
    return 0
