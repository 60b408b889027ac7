"""`t2t embed`."""

import argparse
import functools
import itertools
from typing import Any

from t2t.commands.parser import add_command, add_processes, add_trained, refuse
from t2t.commands.work_flags import add_work, inputs_of


def add_to(commands: Any) -> None:
    """Adds the command to the parser."""
    command = add_command(commands, "embed", run, "Turn texts into vectors.")
    add_trained(command)
    add_processes(command)
    add_work(command, "text, one per line, or JSON lines with a field 'inputs'")
    command.add_argument("--format", choices=("auto", "text", "jsonl"), default="auto", help=
        "of the input; auto: jsonl if the first lines are JSON objects")  # fmt: skip
    command.add_argument("--pooling", choices=("mean", "first", "last", "tokens"), default="mean",
        help="of a text's tokens (default: mean); tokens: a vector for each")  # fmt: skip
    command.add_argument("--normalize", action="store_true", help="to vectors of length 1")
    command.add_argument("--max_input_length", type=int, metavar="N", help=
        "tokens of a text, special ones included (default: what the model can read)"
    )  # fmt: skip
    command.add_argument("--truncate", action="store_true", help="cut longer texts")
    command.epilog = (
        "Outputs end in .npy, .npz (with --pooling=tokens) or .jsonl.\n"
        "Example: t2t embed --model_dir runs/bert --input texts.txt --output vectors.npy"
    )


def run(args: argparse.Namespace, bindings: list[str]) -> int:
    """Runs the command."""
    refuse(bindings)
    from t2t.commands.work import begin
    from t2t.decoding.prediction import Numbered
    from t2t.decoding.reading import InputLimit
    from t2t.reporting.vectors import check_format, open_vectors
    from t2t.reporting.working import Working

    check_format(args.output, per_token=args.pooling == "tokens")
    inputs = inputs_of(args)
    if (begun := begin(args, inputs)) is None:
        return 0
    work, trained = begun
    limit = InputLimit(args.max_input_length, args.truncate)
    embedder = trained.embedder(
        args.pooling, args.normalize, limit=limit, batch_size=args.batch_size
    )
    opened = functools.partial(open_vectors, vocabulary=embedder.vocabulary, width=embedder.width)
    with Working(embedder.throughput, work.about, quiet=args.quiet, prints=work.prints) as working:
        for part in work.parts({"the step": trained.step}):
            with part.begun(opened) as (items, write):
                read, given = itertools.tee(items)
                found = embedder.embed(Numbered(item.number, item.record) for item in read)
                for item, embedding in zip(given, found, strict=True):
                    write(item.record, embedding)
                    working.advance()
    return 0
