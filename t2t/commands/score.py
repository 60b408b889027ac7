"""`t2t score`."""

import argparse
import itertools
from typing import Any

from t2t.commands.parser import add_command, add_processes, add_trained, refuse
from t2t.commands.work_flags import add_work, inputs_of


def add_to(commands: Any) -> None:
    """Adds the command to the parser."""
    command = add_command(commands, "score", run, "Tell how likely a model finds given texts.")
    add_trained(command)
    add_processes(command)
    add_work(command, "JSON lines with 'targets', a text, or 'candidates', a list of texts to "
        "rank, and 'inputs' before them")  # fmt: skip
    command.add_argument("--per_token", action="store_true", help=
        "write the log-probability of every token, too")  # fmt: skip
    command.add_argument("--normalize", action="store_true", help=
        "divide log-likelihoods by numbers of tokens")  # fmt: skip
    command.epilog = (
        'Example: echo \'{"inputs": "correct: recieve", "candidates": ["receive", "relieve"]}\' '
        "| t2t score --model_dir runs/quickstart"
    )


def run(args: argparse.Namespace, bindings: list[str]) -> int:
    """Runs the command."""
    refuse(bindings)
    from t2t.commands.work import begin
    from t2t.decoding.scoring_records import either
    from t2t.reporting.records import open_output
    from t2t.reporting.scores import as_json
    from t2t.reporting.working import Working

    inputs = inputs_of(args, needs_inputs=False)
    if (begun := begin(args, inputs)) is None:
        return 0
    work, trained = begun
    scorer = trained.scorer(batch_size=args.batch_size)
    with Working(scorer.throughput, work.about, quiet=args.quiet, prints=work.prints) as working:
        for part in work.parts({"the step": trained.step}):
            with part.begun(open_output) as (items, write):
                read, given = itertools.tee(items)
                found = scorer.score_all(either(item.record, item.where) for item in read)
                for item, scored in zip(given, found, strict=True):
                    line = as_json(
                        item.record,
                        scored,
                        vocabulary=scorer.vocabulary,
                        ranked="candidates" in item.record,
                        normalize=args.normalize,
                        per_token=args.per_token,
                    )
                    write(line)
                    working.advance()
    return 0
