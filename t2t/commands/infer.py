"""`t2t infer`."""

import argparse
import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from t2t.commands.decoding_flags import (
    add_decoding,
    asks_for_processors,
    decoding_of,
    over,
    processors_of,
)
from t2t.commands.parser import add_command, add_gin, add_processes, add_trained
from t2t.commands.work_flags import add_work, inputs_of
from t2t.errors import UserError

if TYPE_CHECKING:
    from t2t.decoding.decoding import Decoding
    from t2t.decoding.prediction import Predicts
    from t2t.reporting.inputs import Given
    from t2t.trained_model import TrainedModel


def add_to(commands: Any) -> None:
    """Adds the command to the parser."""
    command = add_command(commands, "infer", run, "Turn inputs into predictions, one per line.")
    add_trained(command)
    add_processes(command)
    add_work(command, "text, one input per line, or JSON lines with a field 'inputs' and possibly "
        "'prefix' and 'seed'")  # fmt: skip
    command.add_argument("--format", choices=("auto", "text", "jsonl"), default="auto", help=
        "of input and output; auto: jsonl if the first lines are JSON objects")  # fmt: skip
    command.add_argument("--prefix", default="", metavar="TEXT", help=
        "how every output begins, unless the input has a 'prefix' of its own")  # fmt: skip
    command.add_argument("--max_input_length", type=int, metavar="N", help=
        "tokens of an input, the end of sequence included (default: what the model can read)"
    )  # fmt: skip
    command.add_argument("--truncate", action="store_true", help=
        "cut longer inputs: encoders read their beginning, decoders alone their end, heads what "
        "they did in training")  # fmt: skip
    add_decoding(command)
    command.add_argument("--scores", action="store_true", help="write scores, too")
    add_gin(command)
    command.epilog = (
        'Example: echo "correct: recieve" | t2t infer --model_dir runs/quickstart\n'
        "Flags are short for gin: --beams=4 is --gin.Decoding.strategy=@Beam() --gin.Beam.size=4.\n"
        "See docs/generation.md."
    )


def run(args: argparse.Namespace, bindings: list[str]) -> int:
    """Runs the command."""
    from t2t.commands.work import begin
    from t2t.decoding.prediction import Numbered
    from t2t.reporting.records import open_output, predicted_lines
    from t2t.reporting.working import Working

    inputs = inputs_of(args)
    if (begun := begin(args, inputs)) is None:
        return 0
    work, trained = begun
    predictor, decoding = _predictor(args, bindings, trained)
    several = decoding is not None and decoding.strategy.num_returned > 1
    before = {"prefix": args.prefix} if args.prefix else {}

    def predict(items: "Iterable[Given]") -> Iterator[Any]:
        return predictor.predict(Numbered(item.number, {**before, **item.record}) for item in items)

    said = re.sub(r" at 0x[0-9a-f]+", "", repr(decoding))
    with Working(predictor.throughput, work.about, quiet=args.quiet, prints=work.prints) as working:
        for part in work.parts({"the step": trained.step, "the way of decoding": said}):
            with part.begun(open_output) as (items, write):
                for line in predicted_lines(items, predict, scores=args.scores, several=several):
                    write(line)
                    working.advance()
    return 0


def _predictor(
    args: argparse.Namespace, bindings: list[str], trained: "TrainedModel"
) -> "tuple[Predicts, Decoding | None]":
    """What predicts, and how it generates, if it does."""
    from t2t.decoding.decoding import Decoding
    from t2t.decoding.reading import InputLimit

    limit, decoding = InputLimit(args.max_input_length, args.truncate), decoding_of(args, bindings)
    generates = decoding != Decoding() or args.prefix or asks_for_processors(args)
    generates = generates or args.gin_file or bindings
    if (other := _without_generating(trained)) is not None:
        make, does = other
        if generates:
            raise UserError(
                f"This model {does} and generates no text; leave out what is about generation: "
                f"flags of decoding, --prefix, gin."
            )
        return make(batch_size=args.batch_size, limit=limit), None
    if not args.gin_file and not bindings:
        decoding = over(trained.evaluation_decoding, args, decoding)
    reader = trained.reader(decoding.max_length, limit)
    extra = processors_of(args, reader.vocabulary, reader.eos_id)
    decoding = dataclasses.replace(decoding, processors=(*decoding.processors, *extra))
    return trained.predictor(decoding, batch_size=args.batch_size, reader=reader), decoding


def _without_generating(trained: "TrainedModel") -> tuple[Callable[..., "Predicts"], str] | None:
    """What predicts for a model that generates nothing, and what it does; None if it generates."""
    from t2t.decoding.replaced_tokens import detects_replaced
    from t2t.models.encoder_only import EncoderOnly
    from t2t.training.losses.head_loss import HeadLoss

    config = trained.model.config
    if isinstance(trained.loss, HeadLoss):
        return trained.head_predictor, "classifies"
    if isinstance(config, EncoderOnly) and config.head:
        return trained.mask_filler, "fills in masked tokens"
    if detects_replaced(config):
        return trained.replaced_token_detector, "tells which tokens are replaced"
    return None
