"""`t2t eval`."""

import argparse
import dataclasses
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
from t2t.errors import UserError


def add_to(commands: Any) -> None:
    """Adds the command to the parser."""
    command = add_command(commands, "eval", run, "Evaluate a trained model as training did.")
    add_trained(command)
    which = command.add_argument_group("which checkpoints, instead of --step")
    which.add_argument("--best", action="store_true", help=
        "the best of those kept, by CheckpointPolicy.best_metric or --metric")  # fmt: skip
    which.add_argument("--metric", metavar="TASK/METRIC", help="that --best goes by")
    which.add_argument("--all", action="store_true", help=
        "all, but those that were evaluated alike before: results in --output_dir or the run's "
        "eval/ are read")  # fmt: skip
    which.add_argument("--watch", type=float, metavar="SECONDS", help=
        "as --all; then look for new ones so often, until the run's last step")  # fmt: skip
    add_processes(command)
    add_caches(command)
    command.add_argument("--split", help="split to evaluate instead of the one of the run")
    for side in ("inputs", "targets"):
        command.add_argument(f"--{side}_length", type=int, metavar="N", help=
            f"tokens of {side} (default: those of the run; of an imported model 512 and 114)"
        )  # fmt: skip
    command.add_argument(
        "--num_examples", type=_count, metavar="N", help="at most this many per task, or 'all'"
    )
    command.add_argument("--output_dir", metavar="DIR", help=
        "write there metrics with intervals (results-STEP.json) and, for each task, a JSON line "
        "per example")  # fmt: skip
    command.add_argument("--submission", choices=("glue", "super_glue"), help=
        "write the files of that leaderboard, from the test sets, to --output_dir")  # fmt: skip


def run(args: argparse.Namespace, bindings: list[str]) -> int:
    """Runs the command."""
    refuse(bindings)
    _check(args)
    use_caches(args)
    prepare_jax()
    join_processes(args)
    from t2t.evaluation.result_files import check_writable, write_results
    from t2t.paths import run_folder
    from t2t.reporting.summary import print_averages, print_predictions, print_results
    from t2t.run_evaluation import await_checkpoint, best_step, settings_of
    from t2t.trained import at_step

    folder = run_folder(args.output_dir) if args.output_dir else None
    if folder and speaks_for_all():
        check_writable(folder)
    if args.watch is not None:
        await_checkpoint(args.model_dir, args.watch)
    trained = load(args)
    if args.best:
        step = best_step(trained, args.model_dir, args.metric)
        trained = trained if step == trained.step else at_step(trained, args.model_dir, step)
    if args.submission:
        assert folder is not None
        return _submit(args, trained, folder)
    if args.all or args.watch is not None:
        return _evaluate_all(args, trained, folder)
    evaluator = _evaluator(args, trained)
    results = evaluator.evaluate(trained.params)
    if not speaks_for_all():
        return 0
    print_results(results, title=f"Results of step {trained.step} of '{args.model_dir}'")
    print_averages(results)
    print_predictions(results)
    if folder:
        write_results(results, folder, trained.step, settings_of(evaluator, args.model_dir))
    return 0


def _check(args: argparse.Namespace) -> None:
    """Raises UserError if flags exclude each other."""
    from t2t.paths import is_remote

    ways = {"--step": args.step is not None, "--best": args.best, "--all": args.all}
    given = [name for name, is_given in ways.items() if is_given]
    if args.watch is not None:
        given = [*[name for name in given if name != "--all"], "--watch"]
        if args.watch <= 0:
            raise UserError(f"--watch must be above 0 seconds, got {args.watch:g}.")
    if len(given) > 1:
        raise UserError(f"{' and '.join(given)} exclude each other.")
    if args.submission:
        if not args.output_dir or is_remote(args.output_dir):
            raise UserError("--submission writes local files: say where, with --output_dir.")
        names = ("all", "watch", "split", "num_examples", "mixture")
        if wrong := [f"--{name}" for name in names if getattr(args, name) not in (None, False)]:
            raise UserError(
                f"--submission is of all test sets, and of one checkpoint; leave out "
                f"{', '.join(wrong)}."
            )
    if args.metric and not args.best:
        raise UserError("--metric tells what --best goes by; add --best.")


def _evaluator(args: argparse.Namespace, trained: Any) -> Any:
    changes = {} if args.num_examples is None else {"num_examples": args.num_examples or None}
    given = {"inputs": args.inputs_length, "targets": args.targets_length}
    lengths = {name: length for name, length in given.items() if length is not None}
    return trained.evaluator(args.split, lengths, **changes)


def _evaluate_all(args: argparse.Namespace, trained: Any, folder: Path | None) -> int:
    from t2t.reporting.summary import print_one_line, print_steps
    from t2t.run_evaluation import evaluate_all

    evaluator, found = _evaluator(args, trained), {}
    for step, results in evaluate_all(trained, args.model_dir, evaluator, folder, args.watch):
        found[step] = results
        if speaks_for_all():
            print_one_line(step, results)
    if not found:
        raise UserError(f"No checkpoint of '{args.model_dir}' could be evaluated.")
    if speaks_for_all():
        print_steps(found, title=f"Results of '{args.model_dir}' by step")
    return 0


def _submit(args: argparse.Namespace, trained: Any, folder: Path) -> int:
    from t2t.evaluation.submissions import tasks_of, write_submission

    vocabulary = trained.features["targets"].vocabulary.fingerprint
    asked = dataclasses.replace(trained, task_or_mixture=tasks_of(args.submission, vocabulary))
    args.split, args.num_examples = "test", 0
    results = _evaluator(args, asked).evaluate(trained.params)
    if speaks_for_all():
        invalid = write_submission(args.submission, results, folder)
        print(f"{folder / args.submission}.zip has {len(invalid)} files of step {trained.step}.")
        for name, count in invalid.items():
            if count:
                print(f"{name}: {count:,} predictions are no label; another stands for them.")
    return 0


def _count(text: str) -> int:
    """A number of examples; 0 for all."""
    if text == "all":
        return 0
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"must be 1 or more, or 'all', got '{text}'")
    return int(text)
