"""Stops training and goes on with other numbers of devices and processes.

    python tools/interruptions/other_topologies.py

Every batch has to be the one that an uninterrupted run on one device builds at that step, and so
the final position in the data; the largest difference between parameters is printed, relative to
the root mean square of each array.
"""

import argparse
import logging
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import comparison
from attempt import Attempt

TOPOLOGIES = ((1, 1), (4, 1), (2, 1), (1, 2), (2, 2))  # devices of a process, processes


def main() -> int:
    flags = _flags()
    logging.getLogger("absl").setLevel(logging.ERROR)  # reading checkpoints, Orbax wants more
    folder = Path(flags.folder or tempfile.mkdtemp(prefix="topologies-")).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("whole", "moved"):
        shutil.rmtree(folder / name, ignore_errors=True)
    bindings = [f"TRAIN_STEPS={flags.steps}", "EvalPolicy.every=1000"]
    whole = Attempt(folder, "whole", bindings, optimizer=flags.optimizer).end()
    if whole.status:
        sys.exit(whole.log)

    differing = []
    print("| processes | devices of each | from step | batches | that differ | status |")
    print("|---|---|---|---|---|---|")
    for number, (devices, processes) in enumerate(TOPOLOGIES, 1):
        attempt = Attempt(folder, "moved", bindings, devices, processes, flags.optimizer)
        if number < len(TOPOLOGIES) and attempt.wait(number * flags.steps // len(TOPOLOGIES)):
            ending = attempt.end(signal.SIGTERM)
        else:
            ending = attempt.end()
        steps = comparison.differing_batches(whole.batches, ending.resumed_from, ending.batches)
        cells = (processes, devices, ending.resumed_from, len(ending.batches), len(steps))
        print(f"| {' | '.join(map(str, cells))} | {ending.status} |", flush=True)
        differing += [f"the batch of step {step}" for step in steps]
        if ending.status not in (0, 128 + signal.SIGTERM):
            sys.exit(ending.log)
    if comparison.position(folder / "whole") != comparison.position(folder / "moved"):
        differing.append("the position in the data")
    difference = comparison.largest_difference(folder / "whole", folder / "moved")
    print(f"parameters after {flags.steps} steps of {flags.optimizer}: {difference:.1e} apart")
    print("\n".join(f"DIFFERS: {what}" for what in differing) or "batches and position are equal")
    return 1 if differing else 0


def _flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--steps", type=int, default=150, help="of the run (default: 150)")
    parser.add_argument("--optimizer", choices=("sgd", "adafactor"), default="sgd")
    parser.add_argument("--folder", help="where to work (default: a new temporary one)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
