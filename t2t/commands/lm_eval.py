"""`t2t lm_eval`."""

import argparse
import json
import sys
import traceback
from pathlib import Path
from typing import Any

from t2t.commands.parser import add_command, add_trained, prepare_jax, refuse
from t2t.errors import UserError
from t2t.optional import optional_import

_TASKS = ("--tasks", "-t", "--config", "-C")


def add_to(commands: Any) -> None:
    """Adds the command to the parser."""
    command = add_command(
        commands, "lm_eval", run, "Evaluate a trained model by lm-evaluation-harness."
    )
    command.set_defaults(passes_on=True)
    command.usage = "t2t lm_eval --model_dir DIR --tasks TASKS [flags] [the harness's flags]"
    add_trained(command)
    command.add_argument("--batch_size", default="64", metavar="N", help="requests at a time")
    command.add_argument("--max_length", type=int, metavar="N", help=
        "tokens that are read; what is longer loses its beginning (default: as many as the model "
        "has positions for, or 2048)")  # fmt: skip
    command.add_argument("--max_gen_toks", type=int, default=256, metavar="N", help=
        "tokens to generate where a task does not say (default: 256)")  # fmt: skip
    command.epilog = (
        "Other flags are the harness's: --tasks, --include_path, --num_fewshot, --limit,\n"
        "--gen_kwargs, --output_path, --log_samples, --use_cache ...; see `lm_eval run --help`.\n"
        "Example: t2t lm_eval --model_dir runs/mine --tasks arc_easy --num_fewshot 5\n"
        "See docs/lm_eval.md."
    )


def run(args: argparse.Namespace, bindings: list[str]) -> int:
    """Runs the command."""
    refuse(bindings)
    if not any(word.split("=")[0] in _TASKS for word in args.passed_on):
        raise UserError("Name tasks of the harness: --tasks=arc_easy,piqa (`lm_eval ls tasks`).")
    harness = optional_import("lm_eval", "t2t lm_eval", extra="lm_eval")
    prepare_jax()
    from lm_eval.__main__ import cli_evaluate

    import t2t.lm_eval.model  # noqa: F401 (which registers it)

    names = ("model_dir", "mixture", "step", "imports", "max_length", "max_gen_toks")
    given = {name: getattr(args, name) for name in names if getattr(args, name) not in (None, [])}
    model = ["--model", "t2t", "--model_args", json.dumps(given), "--batch_size", args.batch_size]
    ours, sys.argv = sys.argv, ["lm-eval", "run", *model, *args.passed_on]
    try:
        cli_evaluate()
    except UserError:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        if not frames[-1].filename.startswith(str(Path(str(harness.__file__)).parent)):
            raise
        raise UserError(f"lm-evaluation-harness: {error}") from error
    finally:
        sys.argv = ours
    return 0
