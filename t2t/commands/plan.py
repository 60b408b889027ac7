"""`t2t plan`."""

import argparse
import json
import sys
from typing import Any

from t2t.commands.parser import add_command, add_gin, add_imports
from t2t.errors import UserError


def add_to(commands: Any) -> None:
    """Adds the command to the parser."""
    command = add_command(
        commands, "plan", run, "Say what a training run would need of chips that are not there."
    )
    add_gin(command)
    command.add_argument("--topology", required=True, metavar="NAME", help=
        "chips to plan for, such as v5e:16x16, v5p:4x4x8, '2*v5e:16x16' for two slices, h200:8, "
        "cpu:8")  # fmt: skip
    command.add_argument("--decode_batch_size", type=int, metavar="N", help=
        "rows to generate at a time (default: that of evaluation; 0 leaves generation out)"
    )  # fmt: skip
    command.add_argument("--json", action="store_true", help="print one object of JSON")
    command.add_argument("--search", type=int, metavar="N", help=
        "look for the fastest mesh, rematerialisation and microbatches that fit, compiling at most "
        "N training steps")  # fmt: skip
    command.add_argument("--search_batch_sizes", default="", metavar="A,B", help=
        "batch sizes that the search may choose from (default: that of the gin files)"
    )  # fmt: skip
    command.epilog = (
        "Compiles the training step of the gin files for the topology, without data and without\n"
        "the chips, and prints memory, operations, communication and the bounds that follow.\n"
        "Exit status 1: it does not fit.\n"
        "  t2t plan --gin_file=models/t5_1_1_base.gin --gin_file=runs/pretrain.gin \\\n"
        "    --topology=v5e:2x2 --gin.MeshShape.fsdp=4 --gin.Compute.remat=\"'full'\""
    )
    add_imports(command)


def run(args: argparse.Namespace, bindings: list[str]) -> int:
    """Runs the command."""
    check(args)
    from t2t import config
    from t2t.planning.topology import open_topology

    topology = open_topology(args.topology)  # sets up JAX, so before anything else
    import jax

    jax.config.update("jax_numpy_rank_promotion", "raise")
    if topology.devices[0].platform != "cpu":  # what is not attached is not read back from a cache
        jax.config.update("jax_enable_compilation_cache", False)
    from t2t.planning.job import UNKNOWN
    from t2t.planning.plan import plan_of
    from t2t.planning.report import report, to_dict
    from t2t.training.loop import train

    search_paths = [path for path in args.gin_search_paths.split(",") if path]
    config.load(args.gin_file, bindings, search_paths, args.imports)
    config.fill_in({"MODEL_DIR": UNKNOWN, "MIXTURE": UNKNOWN, "TRAIN_STEPS": 1})
    arguments = config.arguments_of(train)
    if args.search is not None:
        return search(args, arguments, topology)
    plan = plan_of(arguments, topology, decode_batch_size=rows_to_decode(args, arguments))
    print(json.dumps(to_dict(plan), indent=2) if args.json else report(plan))
    return 0 if plan.fits else 1


def check(args: argparse.Namespace) -> None:
    """Refuses flags that do not go together before anything is compiled."""
    if args.decode_batch_size is not None and args.decode_batch_size < 0:
        raise UserError("--decode_batch_size must not be negative.")
    if args.search is None and args.search_batch_sizes:
        raise UserError("--search_batch_sizes needs --search=N, the most programs to compile.")
    if args.search is not None and args.search < 1:
        raise UserError(f"--search must be at least 1, got {args.search}.")
    if args.search is not None and args.json:
        raise UserError("--search prints a table: leave --json out.")


def search(args: argparse.Namespace, arguments: dict[str, Any], topology: Any) -> int:
    """Prints what `--search` finds; the exit status is 1 if nothing fits."""
    from t2t.planning.job_search import search_job, search_report

    try:
        sizes = [int(text) for text in args.search_batch_sizes.split(",") if text]
    except ValueError:
        raise UserError(
            f"--search_batch_sizes={args.search_batch_sizes} are no numbers, such as 256,512."
        ) from None
    if min(sizes, default=1) < 1:
        raise UserError(f"--search_batch_sizes={args.search_batch_sizes} must be above 0.")

    def tell(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    found = search_job(arguments, topology, batch_sizes=sizes, most=args.search, tell=tell)
    print(search_report(found))
    return 0 if found.best else 1


def rows_to_decode(args: argparse.Namespace, arguments: dict[str, Any]) -> int:
    """What is asked for; else the batch of evaluation, for models that generate."""
    if args.decode_batch_size is not None:
        return args.decode_batch_size
    from t2t.decoding.prompts import GeneratorConfig
    from t2t.evaluation.policy import EvalPolicy

    generates = isinstance(arguments["model"], GeneratorConfig)
    return arguments.get("evaluation", EvalPolicy()).batch_size if generates else 0
