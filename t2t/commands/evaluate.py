"""`t2t eval`."""

import argparse
from pathlib import Path
from typing import Any

from t2t.commands.parser import (
    add_caches,
    add_command,
    add_processes,
    add_trained,
    join_processes,
    load,
    prepare_jax,
    refuse,
    speaks_for_all,
    use_caches,
)


def add_to(commands: Any) -> None:
    """Adds the command to the parser."""
    command = add_command(commands, "eval", run, "Evaluate a trained model as training did.")
    add_trained(command)
    add_processes(command)
    add_caches(command)
    command.add_argument("--split", help="split to evaluate instead of the one of the run")
    for side in ("inputs", "targets"):
        command.add_argument(f"--{side}_length", type=int, metavar="N", help=
            f"tokens of {side} (default: those of the run; of an imported model 512 and 114)"
        )  # fmt: skip
    command.add_argument("--num_examples", type=int, help="at most this many per task")
    command.add_argument(
        "--output_dir", metavar="DIR", help="write predictions there as JSON lines"
    )


def run(args: argparse.Namespace, bindings: list[str]) -> int:
    """Runs the command."""
    refuse(bindings)
    use_caches(args)
    prepare_jax()
    join_processes(args)
    from t2t.evaluation.evaluator import write_predictions
    from t2t.reporting.summary import print_predictions, print_results

    trained = load(args)
    changes = {"num_examples": args.num_examples} if args.num_examples is not None else {}
    given = {"inputs": args.inputs_length, "targets": args.targets_length}
    lengths = {name: length for name, length in given.items() if length is not None}
    results = trained.evaluate(args.split, lengths, **changes)
    if not speaks_for_all():
        return 0
    print_results(results, title=f"Results of step {trained.step} of '{args.model_dir}'")
    print_predictions(results)
    if args.output_dir:
        write_predictions(results, Path(args.output_dir), trained.step)
    return 0
