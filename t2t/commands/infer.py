"""`t2t infer`."""

import argparse
import contextlib
from typing import Any

from t2t.commands.parser import (
    add_command,
    add_trained,
    load,
    prepare_jax,
    refuse,
)


def add_to(commands: Any) -> None:
    """Adds the command to the parser."""
    command = add_command(commands, "infer", run, "Turn inputs into predictions, one per line.")
    add_trained(command)
    command.add_argument("--input", default="-", metavar="FILE", help=
        "text, one input per line, or JSON lines with a field 'inputs' (default: standard input)"
    )  # fmt: skip
    command.add_argument("--output", default="-", metavar="FILE", help="default: standard output")
    command.add_argument("--format", choices=("auto", "text", "jsonl"), default="auto", help=
        "of input and output; auto: jsonl if the first line is a JSON object")  # fmt: skip
    command.add_argument("--max_decode_length", type=int, default=64, metavar="N", help=
        "most tokens to generate (default: 64)")  # fmt: skip
    command.add_argument("--batch_size", type=int, default=64, metavar="N")
    command.epilog = 'Example: echo "correct: recieve" | t2t infer --model_dir runs/quickstart'


def run(args: argparse.Namespace, bindings: list[str]) -> int:
    """Runs the command."""
    refuse(bindings)
    from t2t.reporting.records import open_output, read_inputs

    with contextlib.ExitStack() as stack:
        records = read_inputs(args.input, args.format, stack)
        prepare_jax()
        from t2t.decoding.predictor import Predictor, check_generates

        trained = load(args)
        check_generates(trained.model)
        features = trained.features
        predictor = Predictor(
            trained.model,
            trained.params,
            features["inputs"],
            features["targets"],
            max_decode_length=args.max_decode_length,
            batch_size=args.batch_size,
        )
        write = stack.enter_context(open_output(args.output))
        for record in records.predicted_by(predictor.predict):
            write(record)
    return 0
