"""`t2t train`."""

import argparse
import signal
import sys
from typing import Any

from t2t.commands.parser import (
    add_caches,
    add_command,
    add_gin,
    add_imports,
    add_processes,
    join_processes,
    prepare_jax,
    speaks_for_all,
    use_caches,
)


def add_to(commands: Any) -> None:
    """Adds the command to the parser."""
    command = add_command(commands, "train", run, "Train as gin files say; resume if interrupted.")
    add_gin(command)
    command.add_argument("--model_dir", metavar="DIR", help=
        "folder of the run; short for --gin.MODEL_DIR=\"'DIR'\"")  # fmt: skip
    command.epilog = (
        "--gin.NAME=VALUE binds a parameter or macro after all files, for example\n"
        "  t2t train --gin_file=quickstart.gin --gin.TRAIN_STEPS=500 --gin.train.seed=1\n"
        "Strings need quotes of their own: --gin.MIXTURE=\"'spelling'\"."
    )
    command.add_argument("--dry_run", action="store_true", help=
        "check everything, print the model, what a step costs and what a device holds; write "
        "nothing")  # fmt: skip
    add_caches(command)
    add_imports(command)
    add_processes(command)


def run(args: argparse.Namespace, bindings: list[str]) -> int:
    """Runs the command."""
    use_caches(args)
    prepare_jax()
    join_processes(args)
    from t2t import config
    from t2t.models.electra import Electra
    from t2t.models.encoder_only import EncoderOnly
    from t2t.reporting.summary import print_next_commands, print_predictions, print_results
    from t2t.training.interruption import Stopped
    from t2t.training.loop import train

    if args.model_dir is not None:
        bindings = [*bindings, f"MODEL_DIR = {args.model_dir!r}"]
    search_paths = [path for path in args.gin_search_paths.split(",") if path]
    config.load(args.gin_file, bindings, search_paths, args.imports)
    arguments = config.arguments_of(train)
    model_dir = arguments["model_dir"]
    try:
        results = train(
            **arguments,
            config_text=config.operative_config(),
            dry_run=args.dry_run,
        )
    except Stopped as stopped:
        if speaks_for_all():
            print(
                f"Stopped by {signal.Signals(stopped.signal).name} after step {stopped.step} of "
                f"{stopped.total_steps}; its checkpoint is in '{model_dir}'. Run the same command "
                f"again to go on.",
                file=sys.stderr,
            )
        return 128 + stopped.signal
    if args.dry_run or not speaks_for_all():
        return 0
    print_results(results, title=f"Held-out results of step {arguments['total_steps']}")
    print_predictions(results)
    steps = "TRAIN_STEPS" if config.has_macro("TRAIN_STEPS") else "train.total_steps"
    print_next_commands(
        model_dir,
        results,
        args.gin_file,
        f"--gin.{steps}={2 * arguments['total_steps']}",
        generates=not isinstance(arguments["model"], EncoderOnly | Electra)
        or any(result.predictions for result in results.values()),
    )
    return 0
