"""Interrupts training again and again, and compares the end with that of an uninterrupted run.

    python tools/interruptions/run.py --kills=50

Starts `t2t train` on workload.gin, sends SIGKILL, SIGTERM or SIGINT at a random moment, starts the
same command again, and so on; prints what every interruption led to. Exits with 1 unless the last
checkpoint (parameters, optimiser state, position in the data), metrics.jsonl but for times, all
predictions and all batches equal those of an uninterrupted run, bit for bit.
"""

import argparse
import dataclasses
import logging
import re
import shutil
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

import comparison
from attempt import Attempt, Ending
from plan import KINDS, Interruption, draw_plan


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What an interruption led to: how the attempt ended, and what came after it."""

    interruption: Interruption
    ending: Ending
    after: list[Ending]

    @property
    def resumed_from(self) -> int:
        """Where the next attempt that came to train went on."""
        return next(ending.resumed_from for ending in self.after if ending.batches)

    @property
    def taken_over(self) -> bool:
        """Whether a later attempt found the lock of this one."""
        said = f"took over the lock of process {self.ending.process} "
        return any(said in ending.log for ending in self.after)

    @property
    def saved_at(self) -> int | None:
        """The step that the process said it saved; None if it was killed, or had not begun."""
        found = re.search(r"after step (\d+) of", " ".join(self.ending.log.split()))
        return int(found[1]) if found else None

    @property
    def repeated(self) -> int:
        """Batches built again, with the few built ahead, of which no step was done."""
        return self.ending.resumed_from + len(self.ending.batches) - self.resumed_from

    def faults(self) -> list[str]:
        """What went otherwise than promised."""
        kind, status = self.interruption.kind, self.ending.status
        expected = {-kind} if kind == signal.SIGKILL else {-kind, 128 + kind}
        found = [] if status in expected else [f"{kind.name} ended with status {status}"]
        if "Traceback" in self.ending.log:
            found.append(f"{kind.name} ended with a traceback")
        if self.saved_at is not None and self.saved_at != self.resumed_from:
            found.append(f"saved at {self.saved_at}, resumed from {self.resumed_from}")
        return found


def main() -> int:
    flags = _flags()
    logging.getLogger("absl").setLevel(logging.ERROR)  # reading checkpoints, Orbax wants more
    folder = Path(flags.folder or tempfile.mkdtemp(prefix="interruptions-")).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("whole", "interrupted"):
        shutil.rmtree(folder / name, ignore_errors=True)
    bindings = [f"TRAIN_STEPS={flags.steps}", *flags.gin]
    print(f"in {folder}", flush=True)

    whole, starting_seconds, step_seconds = _uninterrupted(folder, bindings, flags.steps)
    plan = draw_plan(flags.seed, flags.kills, flags.steps)

    endings = []
    for number, interruption in enumerate(plan, 1):
        attempt = Attempt(folder, "interrupted", bindings)
        if interruption.step is None:
            attempt.wait(1, interruption.delay * starting_seconds)
        elif attempt.wait(interruption.step):
            time.sleep(interruption.delay * step_seconds)
        ending = attempt.end(interruption.kind)
        # Later starts are quicker: programs are compiled.
        starting_seconds = ending.seconds_to_start or starting_seconds
        endings.append(ending)
        print(f"{number}. {_told(interruption, ending)}", flush=True)
        if ending.status == 0:
            print("The run was over before the signal: take more steps.")
            return 1
    last = _finished(Attempt(folder, "interrupted", bindings))
    attempts = [*endings, last]
    outcomes = [
        Outcome(interruption, attempts[number], attempts[number + 1 :])
        for number, interruption in enumerate(plan)
    ]
    _print_table(outcomes)

    differing = comparison.differences(folder / "whole", folder / "interrupted")
    for ending in attempts:
        steps = comparison.differing_batches(whole.batches, ending.resumed_from, ending.batches)
        differing += [f"the batch of step {step}" for step in steps]
    faults = [fault for outcome in outcomes for fault in outcome.faults()]
    built = sum(len(ending.batches) for ending in attempts)
    print(
        f"{built} batches built for {flags.steps} steps, each compared with the uninterrupted run"
    )
    print("\n".join(faults + [f"DIFFERS: {what}" for what in differing]) or "no difference")
    return 1 if faults or differing else 0


def _uninterrupted(folder: Path, bindings: list[str], steps: int) -> tuple[Ending, float, float]:
    """The run to compare with; seconds until its first batch, and per step."""
    begun = time.monotonic()
    attempt = Attempt(folder, "whole", bindings)
    attempt.wait(step=1)
    whole = _finished(attempt)
    assert whole.seconds_to_start is not None
    training = time.monotonic() - begun - whole.seconds_to_start
    return whole, whole.seconds_to_start, training / steps


def _finished(attempt: Attempt) -> Ending:
    ending = attempt.end()
    if ending.status:
        sys.exit(f"Training failed with status {ending.status}:\n{ending.log}")
    return ending


def _told(interruption: Interruption, ending: Ending) -> str:
    built = len(ending.batches)
    return (
        f"{interruption.kind.name} {f'{built} batches' if built else 'starting'} after step "
        f"{ending.resumed_from}, status {ending.status} in {ending.seconds_to_end:.1f} s"
    )


def _print_table(outcomes: list[Outcome]) -> None:
    print(
        "| signal | sent | while starting | saved its step | batches built again: median, most "
        "| lock taken over | checkpoints set aside | seconds to end: median, most |"
    )
    print("|---" * 8 + "|")
    for kind in KINDS:
        of_kind = [outcome for outcome in outcomes if outcome.interruption.kind == kind]
        training = [outcome for outcome in of_kind if outcome.ending.batches]
        cells = [
            kind.name,
            len(of_kind),
            len(of_kind) - len(training),
            sum(outcome.saved_at is not None for outcome in of_kind),
            _median_and_most([outcome.repeated for outcome in training], "{:.0f}"),
            sum(outcome.taken_over for outcome in of_kind),
            sum("moved to" in outcome.after[0].log for outcome in of_kind),
            _median_and_most([outcome.ending.seconds_to_end for outcome in of_kind], "{:.1f}"),
        ]
        print("| " + " | ".join(map(str, cells)) + " |")


def _median_and_most(values: list[float], form: str) -> str:
    if not values:
        return ""
    return f"{form.format(statistics.median(values))}, {form.format(max(values))}"


def _flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--kills", type=int, default=50, help="interruptions (default: 50)")
    parser.add_argument("--steps", type=int, default=1500, help="of the run (default: 1500)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments and their order")
    parser.add_argument("--folder", help="where to work (default: a new temporary one)")
    parser.add_argument("--gin", action="append", default=[], metavar="BINDING", help="repeatable")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
