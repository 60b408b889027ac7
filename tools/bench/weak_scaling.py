"""Plans one training step for more and more chips with the same rows on each, and prints a table.

Nothing runs: the step is compiled for TPUs that need not be there (`pip install 't2t[tpu]'`), and
the bounds follow from published rates. Each program takes a minute and 2 GB to compile.
"""

import argparse
import dataclasses
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from t2t import config
from t2t.errors import UserError
from t2t.planning.job import UNKNOWN
from t2t.planning.scaling import Point, table
from t2t.planning.topology import open_topology

EXAMPLE = """example:
  python tools/bench/weak_scaling.py --gin_file=models/t5_1_1_base.gin \\
      --gin_file=runs/pretrain.gin --gin.Compute.remat="'full'" --rows_per_chip=32"""


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    words = list(sys.argv[1:] if words is None else words)
    bindings = [word.removeprefix("--gin.") for word in words if word.startswith("--gin.")]
    args = _parser().parse_args([word for word in words if not word.startswith("--gin.")])
    try:
        if args.point:
            print(json.dumps(dataclasses.asdict(_point(args, bindings))))
            return 0
        points = []
        for topology in args.topologies:
            # A process for each: its memory goes back, and JAX is set up afresh.
            command = [sys.executable, __file__, *words, f"--topologies={topology}", "--point"]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
            if done.returncode:
                return done.returncode
            points.append(Point(**json.loads(done.stdout.splitlines()[-1])))
            print(f"{topology}: planned", file=sys.stderr, flush=True)
            if args.output:
                line = json.dumps(dataclasses.asdict(points[-1]))
                with args.output.open("a", encoding="utf-8") as file:
                    file.write(line + "\n")
    except UserError as error:
        print(f"weak_scaling: error: {error}", file=sys.stderr)
        return 1
    print("\n".join(table(points)))
    return 0


def _point(args: argparse.Namespace, bindings: list[str]) -> Point:
    topology = open_topology(args.topologies[0])  # sets up JAX, so before anything else
    from t2t.planning.plan import plan_of
    from t2t.training.loop import train
    from t2t.training.partitioning import MeshShape

    config.load(args.gin_file, bindings, [], [])
    config.fill_in({"MODEL_DIR": UNKNOWN, "MIXTURE": UNKNOWN, "TRAIN_STEPS": 1})
    arguments: dict[str, Any] = config.arguments_of(train)
    chips = len(topology.devices)
    mesh = dataclasses.replace(
        arguments.get("mesh", MeshShape()), data=-1, fsdp=min(chips, args.fsdp or chips)
    )
    rows = args.rows_per_chip * chips
    plan = plan_of(arguments, topology, mesh=mesh, batch_size=rows)
    if plan.train.roofline is None:
        raise UserError(f"{topology.name}: the step does not fit; take fewer --rows_per_chip.")
    return Point.of(plan, chips)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="weak_scaling",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=__doc__,
        epilog="--gin.NAME=VALUE binds a parameter, after the files.\n\n" + EXAMPLE,
    )
    add = parser.add_argument
    add("--gin_file", action="append", required=True, metavar="FILE", help="as of `t2t train`")
    add("--rows_per_chip", type=int, default=32, metavar="N", help="default: 32")
    add("--topologies", type=lambda text: text.split(","), metavar="A,B", help=
        "default: %(default)s",
        default=["v5e:2x2", "v5e:4x4", "v5e:8x8", "v5e:16x16"])  # fmt: skip
    add("--fsdp", type=int, metavar="N", help=
        "chips that share parameters, copies of which are all others; default: all")  # fmt: skip
    add("--output", type=Path, metavar="FILE", help="append each point as a line of JSON")
    add("--point", action="store_true", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
