"""`t2t infer`."""

import argparse
import contextlib
import dataclasses
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from t2t.commands.decoding_flags import (
    add_decoding,
    asks_for_processors,
    decoding_of,
    processors_of,
)
from t2t.commands.parser import add_command, add_gin, add_trained, load, prepare_jax
from t2t.errors import UserError

if TYPE_CHECKING:
    from t2t.decoding.prediction import Predicts


def add_to(commands: Any) -> None:
    """Adds the command to the parser."""
    command = add_command(commands, "infer", run, "Turn inputs into predictions, one per line.")
    add_trained(command)
    command.add_argument("--input", default="-", metavar="FILE", help=
        "text, one input per line, or JSON lines with a field 'inputs' and possibly 'prefix' and "
        "'seed' (default: standard input)")  # fmt: skip
    command.add_argument("--output", default="-", metavar="FILE", help="default: standard output")
    command.add_argument("--format", choices=("auto", "text", "jsonl"), default="auto", help=
        "of input and output; auto: jsonl if the first line is a JSON object")  # fmt: skip
    command.add_argument("--batch_size", type=int, default=64, metavar="N")
    command.add_argument("--prefix", default="", metavar="TEXT", help=
        "how every output begins, unless the input has a 'prefix' of its own")  # fmt: skip
    command.add_argument("--max_input_length", type=int, metavar="N", help=
        "tokens of an input, the end of sequence included (default: what the model can read)"
    )  # fmt: skip
    command.add_argument("--truncate", action="store_true", help=
        "cut longer inputs: encoders read their beginning, decoders alone their end")  # fmt: skip
    add_decoding(command)
    command.add_argument("--scores", action="store_true", help="write scores, too")
    command.add_argument("--quiet", action="store_true", help="do not print how fast it was")
    add_gin(command)
    command.epilog = (
        'Example: echo "correct: recieve" | t2t infer --model_dir runs/quickstart\n'
        "Flags are short for gin: --beams=4 is --gin.Decoding.strategy=@Beam() --gin.Beam.size=4.\n"
        "See docs/generation.md."
    )


def run(args: argparse.Namespace, bindings: list[str]) -> int:
    """Runs the command."""
    from t2t.reporting.records import open_output, read_inputs

    with contextlib.ExitStack() as stack:
        records = read_inputs(args.input, args.format, stack)
        prepare_jax()
        predictor, several = _predictor(args, bindings)

        def predict(inputs: Iterable[Mapping[str, Any]]) -> Iterator[Any]:
            before = {"prefix": args.prefix} if args.prefix else {}
            return predictor.predict({**before, **record} for record in inputs)

        write = stack.enter_context(open_output(args.output))
        for line in records.predicted_by(predict, scores=args.scores, several=several):
            write(line)
    if not args.quiet:
        print(predictor.throughput.describe(), file=sys.stderr)
    return 0


def _predictor(args: argparse.Namespace, bindings: list[str]) -> tuple["Predicts", bool]:
    """What predicts, and whether it gives several predictions for an input."""
    from t2t.decoding.decoding import Decoding
    from t2t.decoding.predictor import Predictor
    from t2t.decoding.reading import InputLimit
    from t2t.models.encoder_only import EncoderOnly
    from t2t.training.head_loss import HeadLoss

    limit, decoding = InputLimit(args.max_input_length, args.truncate), decoding_of(args, bindings)
    generates = decoding != Decoding() or args.prefix or asks_for_processors(args)
    trained = load(args)
    if isinstance(trained.loss, HeadLoss):
        if generates:
            raise UserError(
                "This model classifies and generates nothing; leave out what is about generation."
            )
        length = args.max_input_length
        return trained.head_predictor(batch_size=args.batch_size, max_length=length), False
    config = trained.model.config
    if isinstance(config, EncoderOnly) and config.head and not generates:
        return trained.mask_filler(batch_size=args.batch_size, limit=limit), False
    reader = trained.reader(decoding.max_length, limit)
    extra = processors_of(args, reader.vocabulary, reader.eos_id)
    decoding = dataclasses.replace(decoding, processors=(*decoding.processors, *extra))
    predictor = Predictor(
        trained.model, trained.params, reader, decoding, batch_size=args.batch_size
    )
    return predictor, decoding.strategy.num_returned > 1
