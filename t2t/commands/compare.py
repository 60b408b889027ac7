"""`t2t compare`."""

import argparse
import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2t.commands.parser import add_command, add_imports, import_modules, refuse
from t2t.errors import UserError

if TYPE_CHECKING:
    from t2t.data.tasks import Task
    from t2t.evaluation.comparison import Difference
    from t2t.evaluation.result_files import StoredResults


def add_to(commands: Any) -> None:
    """Adds the command to the parser."""
    command = add_command(
        commands, "compare", run, "Tell whether one model is better than another, by its examples."
    )
    command.add_argument("first", metavar="RUN_A", help=
        "folder of a run, or of results that `t2t eval --output_dir` wrote")  # fmt: skip
    command.add_argument("others", metavar="RUN_B", nargs="+", help=
        "to compare with RUN_A; several are compared one by one")  # fmt: skip
    for name, which in (("step_a", "RUN_A"), ("step_b", "each RUN_B")):
        command.add_argument(
            f"--{name}", type=int, metavar="N", help=f"step of {which} (default: its newest)"
        )
    command.add_argument("--samples", type=int, default=10_000, metavar="N", help=
        "how often the examples are drawn again (default: 10000)")  # fmt: skip
    command.add_argument("--output", metavar="FILE", help="write all differences there as JSON")
    add_imports(command)


def run(args: argparse.Namespace, bindings: list[str]) -> int:
    """Runs the command."""
    refuse(bindings)
    if args.samples < 100:
        raise UserError(f"--samples must be at least 100, got {args.samples}.")
    import_modules(args.imports)
    from t2t.evaluation.result_files import to_json
    from t2t.reporting.comparisons import print_differences
    from t2t.reporting.whole_files import whole_file

    first = _stored(args.first, args.step_a)
    compared = []
    for name in args.others:
        second = _stored(name, args.step_b)
        found = _differences(first, second, (args.first, name), args.samples)
        labels = (f"{args.first} @{first.step}", f"{name} @{second.step}")
        print_differences(found, labels)
        rows = {task: [dataclasses.asdict(d) for d in each] for task, each in found.items()}
        steps = {"step_a": first.step, "step_b": second.step}
        compared.append({"run_a": args.first, "run_b": name, **steps, "tasks": rows})
    if args.output:
        with whole_file(args.output, "w") as file:
            file.write(to_json(compared, indent=1) + "\n")
    return 0


def _stored(name: str, step: int | None) -> "StoredResults":
    """What a folder has of a step; None for the newest."""
    from t2t.evaluation.result_files import read_results
    from t2t.paths import run_folder
    from t2t.training.run_directory import RunDirectory

    folder = run_folder(name)
    if not folder.is_dir():
        raise UserError(f"There is no folder '{name}'.")
    found = read_results(folder) or read_results(RunDirectory(folder).predictions)
    if not found:
        raise UserError(
            f"'{name}' has no results of an evaluation (results-STEP.json). If it is a run, "
            f"`t2t eval --model_dir {shlex.quote(name)} --output_dir {shlex.quote(name)}/eval` "
            f"writes them."
        )
    if step is None:
        return found[-1]
    for stored in found:
        if stored.step == step:
            return stored
    steps = ", ".join(str(stored.step) for stored in found)
    raise UserError(f"'{name}' has no results of step {step}; it has those of {steps}.")


def _differences(
    first: "StoredResults", second: "StoredResults", names: Sequence[str], samples: int
) -> "dict[str, list[Difference]]":
    """By task; raises UserError if tasks or examples are not the same."""
    from t2t.evaluation.comparison import compare_records, differing

    common = [task for task in first.results if task in second.results]
    if not common:
        raise UserError(
            f"No task was evaluated in both: '{names[0]}' has {', '.join(first.results)}; "
            f"'{names[1]}' has {', '.join(second.results)}."
        )
    for name, one, other in ((names[0], first, second), (names[1], second, first)):
        if alone := [task for task in one.results if task not in other.results]:
            print(f"Only in '{name}': {', '.join(alone)}.")
    found = {}
    for task in common:
        records = first.records(task), second.records(task)
        how = differing(*records)
        if not how and "inputs" not in records[0][0]:  # scored by loss alone, and not told apart
            how = _differing(first.settings, second.settings)
        if how:
            raise UserError(
                f"Task '{task}' was evaluated on other examples: {how}. Evaluate both alike: "
                f"{_command(names[1], first)}."
            )
        found[task] = compare_records(*records, _registered(task), samples)
        if not found[task]:
            raise UserError(
                f"Task '{task}' has no metrics to compare: its examples have no targets."
            )
        known = {difference.metric for difference in found[task]}
        missing = first.results[task].metrics.keys() - known - {"invalid_predictions"}
        if missing:
            hint = "" if _registered(task) else " For those of the task, --import its module."
            print(f"Not compared: {', '.join(sorted(missing))} of '{task}'.{hint}")
    return found


def _differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> str:
    """How the examples do, by what was evaluated; "" if they are the same."""
    for name in ("split", "num_examples", "sequence_length", "seed"):
        if first.get(name) != second.get(name):
            return f"{name} is {first.get(name)} and {second.get(name)}"
    return ""


def _registered(name: str) -> "Task | None":
    from t2t.data.registry import TaskRegistry

    try:
        return TaskRegistry.get(name)
    except UserError:
        return None


def _command(model_dir: str, like: "StoredResults") -> str:
    """Evaluates a run as `like` was."""
    settings = like.settings
    flags = [f"--model_dir {shlex.quote(model_dir)}", f"--mixture {settings.get('mixture')}"]
    flags.append(f"--split {settings.get('split')}")
    flags.append(f"--num_examples {settings.get('num_examples') or 'all'}")
    flags.append(f"--output_dir {shlex.quote(str(Path(model_dir) / 'eval_alike'))}")
    return f"`t2t eval {' '.join(flags)}`, and compare with that folder"
