"""Compares the systems of gin/systems at equal compute on one held-out text-to-text task.

Each system pretrains on the State of the Union speeches by its own recipe, then learns to tell
positive from negative sentences of movie reviews: encoders through a head, all others by writing
out the label. Every system has the same number of floating-point operations (matrix products, see
t2t/training/flops.py) for pretraining, and the same for fine-tuning; what depends on chance is
drawn anew for each seed. The control of each system is fine-tuned without pretraining.

Finished runs are kept in results.jsonl of the output folder: the same command goes on where it was
interrupted, and only prints the table once all are done. Several processes may share the folder if
none of them trains what another does. Losses of pretraining are kept, too, but are not to be
compared: each recipe has its own.
"""

import argparse
import dataclasses
import itertools
import json
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from t2t import config
from t2t.data.registry import get_mixture_or_task
from t2t.errors import UserError, did_you_mean
from t2t.reporting.parameters import parameter_count
from t2t.training.flops import train_flops
from t2t.training.interruption import Stopped
from t2t.training.loop import train
from t2t.training.losses.language_modeling import Loss

FINE_TUNING = {
    **dict.fromkeys(("bert", "roberta", "albert", "electra"), "sentence"),
    **dict.fromkeys(("t5", "ul2", "bart", "t5gemma"), "text"),
    **dict.fromkeys(("gpt", "llama", "gemma", "glm"), "prompt"),
}
EXAMPLES = """example:
  python tools/study/compare_systems.py --output runs/study --systems t5 bert gpt --seeds 0 1 2
  python tools/study/compare_systems.py --output /tmp/smoke --systems bert gpt --seeds 0 \\
      --steps_scale 0.002"""


@dataclasses.dataclass(frozen=True)
class Budget:
    """Floating-point operations of training, and what is left of them in a smoke test.

    Attributes:
      pretraining, fine_tuning: of one run.
      scale: of the numbers of steps.
    """

    pretraining: float
    fine_tuning: float
    scale: float


@dataclasses.dataclass(frozen=True)
class Stage:
    """One training, ready to run.

    Attributes:
      file: of gin.
      bindings: on top of it.
      steps: as many as the budget pays for.
      flops: that they take.
      parameters: of the model.
    """

    file: str
    bindings: tuple[str, ...]
    steps: int
    flops: float
    parameters: int

    def run(self, model_dir: Path, seed: int, from_scratch: bool = False) -> dict[str, Any]:
        """Trains, or goes on; returns the final metrics by task."""
        own = [f"MODEL_DIR = {str(model_dir)!r}", f"train.seed = {seed}"]
        if from_scratch:  # what the file says of other runs' parameters is then of no use
            own.append("train.init_from = None")
        given = _arguments(self.file, [*self.bindings, *own], all_used=not from_scratch)
        results = train(**given, config_text=config.operative_config())
        return {name: dict(result.metrics) for name, result in results.items()}


def plan(file: str, budget: float, scale: float, bindings: Sequence[str] = ()) -> Stage:
    """The number of steps that `budget` pays for, at least one.

    Raises:
      UserError: if it does not pay for a single one.
    """
    given = _arguments(file, bindings)
    per_step = flops_per_step(given)
    steps = round(budget / per_step)
    if not steps:
        raise UserError(
            f"A step of {file} takes {per_step:.2g} operations, more than {budget:.2g}."
        )
    scaled = max(round(steps * scale), 2)
    bindings = [
        *bindings,
        f"TRAIN_STEPS = {scaled}",
        f"EvalPolicy.every = {scaled}",
        f"EvalPolicy.num_examples = {None if scale == 1 else 16}",
        f"CheckpointPolicy.every = {max(scaled // 4, 1)}",
        "CheckpointPolicy.keep_latest = 1",
    ]
    if config.has_macro("WARMUP_STEPS"):
        bindings.append(f"WARMUP_STEPS = {min(100, scaled // 10)}")
    parameters = parameter_count(given["model"])
    return Stage(file, tuple(bindings), scaled, scaled * per_step, parameters)


def flops_per_step(given: dict[str, Any]) -> float:
    """Operations of one training step with these arguments of `train`; small heads are free."""
    model, loss = given["model"], given.get("loss", Loss())
    task = get_mixture_or_task(given["mixture"])
    converter = loss.converter(model, task, given.get("pack", True))
    rows = converter.row_lengths(given["sequence_length"])  # aligned features are one sequence
    lengths = rows.get("inputs", 0), rows.get("targets", 0)
    return train_flops(model, *lengths, given["batch_size"], loss.predicts_tokens)


def compare(output: Path, systems: Sequence[str], seeds: Sequence[int], budget: Budget) -> None:
    """Runs what is not in results.jsonl yet, controls last, and prints the table after each."""
    results = output / "results.jsonl"
    for pretrained, seed, system in itertools.product((True, False), seeds, systems):
        key = {"system": system, "seed": seed, "pretrained": pretrained}
        key |= dataclasses.asdict(budget)
        if any(key.items() <= row.items() for row in read(results)):
            continue
        row = key | one_run(output, system, seed, pretrained, budget)
        with results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(table(read(results), budget), flush=True)


def one_run(
    output: Path, system: str, seed: int, pretrained: bool, budget: Budget
) -> dict[str, Any]:
    """Pretrains, if that is not done yet, and fine-tunes.

    Runs of other budgets have other folders, for none may go on from a checkpoint of another. A run
    that does go on has no "seconds", since they are not all known.
    """
    sizes = "_".join(f"{value:g}" for value in dataclasses.astuple(budget))
    folder = output / f"budget_{sizes}" / f"{system}_{seed}"
    name = "fine_tuned" if pretrained else "from_scratch"
    begun = (folder / name).exists() or (pretrained and (folder / "pretrained").exists())
    row: dict[str, Any] = {}
    start = time.monotonic()
    bindings = []
    if pretrained:
        stage = plan(f"systems/{system}_tiny.gin", budget.pretraining, budget.scale)
        metrics = stage.run(folder / "pretrained", seed)
        losses = [values["loss"] for values in metrics.values()]
        row |= {"pretraining_steps": stage.steps, "pretraining_flops": stage.flops}
        row |= {"pretraining_loss": statistics.fmean(losses)}
        bindings = [f"INIT_FROM = {str(folder / 'pretrained')!r}"]
    file = f"systems/finetune_{system}_{FINE_TUNING[system]}.gin"
    stage = plan(file, budget.fine_tuning, budget.scale, bindings)
    [metrics] = stage.run(folder / name, seed, from_scratch=not pretrained).values()
    return row | {
        "parameters": stage.parameters,
        "fine_tuning_steps": stage.steps,
        "fine_tuning_flops": stage.flops,
        "accuracy": metrics["accuracy"],
        "seconds": None if begun else time.monotonic() - start,
    }


def _arguments(file: str, bindings: Sequence[str], all_used: bool = True) -> dict[str, Any]:
    config.load([file], bindings)
    return config.arguments_of(train, all_used=all_used)


def read(results: Path) -> list[dict[str, Any]]:
    """Rows of finished runs, without a line that another process has only begun to write."""
    if not results.exists():
        return []
    lines = results.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def table(rows: Sequence[dict[str, Any]], budget: Budget) -> str:
    """Markdown: accuracy of each system, mean and standard deviation over seeds, best first."""
    of_budget = dataclasses.asdict(budget).items()
    found: dict[str, dict[bool, list[dict[str, Any]]]] = {}
    for row in rows:
        if of_budget <= row.items():
            runs = found.setdefault(row["system"], {True: [], False: []})
            runs[row["pretrained"]].append(row)
    found = {system: runs for system, runs in found.items() if runs[True]}

    def accuracies(system: str, pretrained: bool) -> list[float]:
        return [row["accuracy"] for row in found[system][pretrained]]

    lines = [
        "| system | parameters | steps | accuracy, mean ± deviation (lowest to highest) "
        "| without pretraining | seeds |",
        "|---|---|---|---|---|---|",
    ]
    for system in sorted(found, key=lambda name: -statistics.fmean(accuracies(name, True))):
        last = found[system][True][-1]
        steps = f"{last['pretraining_steps']:,} + {last['fine_tuning_steps']:,}"
        cells = [_spread(accuracies(system, pretrained)) for pretrained in (True, False)]
        count = len(found[system][True])
        lines.append(
            f"| {system} | {last['parameters']:,} | {steps} | {cells[0]} | {cells[1]} | {count} |"
        )
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    if not values:
        return ""
    mean = f"{statistics.fmean(values):.1f}"
    if len(values) < 2:
        return mean
    return f"{mean} ± {statistics.stdev(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    args = _parser().parse_args(argv)
    budget = Budget(args.pretraining_flops, args.fine_tuning_flops, args.steps_scale)
    try:
        for system in args.systems:
            if system not in FINE_TUNING:
                raise UserError(
                    f"--systems: there is no '{system}'.{did_you_mean(system, FINE_TUNING)} Known "
                    f"are: {', '.join(FINE_TUNING)}."
                )
        for name, value in dataclasses.asdict(budget).items():
            if not value > 0:
                raise UserError(f"The budget's {name} must be above 0, got {value}.")
        args.output.mkdir(parents=True, exist_ok=True)
        compare(args.output, args.systems, args.seeds, budget)
    except UserError as error:
        print(f"compare_systems: error: {error}", file=sys.stderr)
        return 1
    except Stopped as stopped:
        print(f"compare_systems: {stopped}; run the same command to go on.", file=sys.stderr)
        return 128 + stopped.signal
    print(table(read(args.output / "results.jsonl"), budget))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="compare_systems",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=__doc__,
        epilog=EXAMPLES,
    )
    add = parser.add_argument
    add("--output", type=Path, required=True, metavar="DIR", help="folder of runs and results")
    add("--systems", nargs="+", default=list(FINE_TUNING), metavar="NAME", help="default: all")
    add("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="N", help="default: 0 1 2")
    add("--pretraining_flops", type=float, default=5e12, metavar="F", help="default: 5e12")
    add("--fine_tuning_flops", type=float, default=5e12, metavar="F", help="default: 5e12")
    add("--steps_scale", type=float, default=1.0, metavar="SHARE", help=
        "share of all steps, for a smoke test (default: 1)")  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main())
