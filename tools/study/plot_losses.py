"""Draws the losses of runs side by side, in training and on held-out text, and writes a table.

Reads metrics.jsonl of each run's folder. The figures of docs/systems.md are made by

  python tools/study/plot_losses.py runs/*_tiny --output docs/systems_losses.svg
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

COLUMNS = 4


class Curve(NamedTuple):
    """Losses of a run: steps, and the mean loss of the steps since the last one.

    Attributes:
      name: of the run's folder.
      trained: (step, loss) in training.
      held_out: (step, loss) on examples that are not trained on.
    """

    name: str
    trained: list[tuple[int, float]]
    held_out: list[tuple[int, float]]


def read(run: Path) -> Curve:
    """Exits with a message if the run has no losses."""
    file = run / "metrics.jsonl"
    if not file.is_file():
        sys.exit(f"error: there is no '{file}'; name folders of runs.")
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    rows = [json.loads(line) for line in lines if line.endswith("\n")]  # the last is being written
    curve = Curve(run.name, *(_losses(rows, key) for key in ("train/loss", "eval/loss")))
    if not curve.trained:
        sys.exit(f"error: '{file}' has no 'train/loss'.")
    return curve


def _losses(rows: Sequence[dict[str, float]], key: str) -> list[tuple[int, float]]:
    """The last word on each step counts: a run that was interrupted repeats some."""
    return sorted({int(row["step"]): row[key] for row in rows if key in row}.items())


def draw(curves: Sequence[Curve], output: Path) -> None:
    """One small plot per run."""
    count = -(-len(curves) // COLUMNS)
    pyplot.rcParams.update({"svg.hashsalt": "t2t", "font.size": 8})
    figure, axes = pyplot.subplots(
        count, COLUMNS, figsize=(10, 2.1 * count), squeeze=False, layout="constrained"
    )
    for place in axes.flat:
        place.set_axis_off()
    for place, curve in zip(axes.flat, curves, strict=False):
        place.set_axis_on()
        place.plot(*zip(*curve.trained, strict=True), linewidth=1, label="training")
        if curve.held_out:
            place.plot(*zip(*curve.held_out, strict=True), "o", markersize=3, label="held out")
        place.set_title(curve.name)
        place.grid(alpha=0.3)
    axes.flat[0].legend(frameon=False)
    figure.supxlabel("step")
    figure.supylabel("loss")
    figure.savefig(output, metadata={"Date": None})
    pyplot.close(figure)


def table(curves: Sequence[Curve]) -> str:
    """Markdown: losses at the start and the end."""
    lines = ["| run | steps | first loss | last loss | held out |", "|---|---|---|---|---|"]
    for curve in curves:
        (_, first), (steps, last) = curve.trained[0], curve.trained[-1]
        held_out = f"{curve.held_out[-1][1]:.2f}" if curve.held_out else ""
        lines.append(f"| {curve.name} | {steps:,} | {first:.2f} | {last:.2f} | {held_out} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="its folder")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.svg")
    args = parser.parse_args()
    curves = [read(run) for run in args.runs]
    draw(curves, args.output)
    print(table(curves))
    return 0


if __name__ == "__main__":
    sys.exit(main())
