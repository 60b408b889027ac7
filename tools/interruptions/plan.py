"""When to interrupt, and how: drawn from a seed."""

import dataclasses
import random
import signal

KINDS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
_STARTING = 0.2  # share of interruptions that hit a process which has not trained a step yet
_UNTIL = 0.95  # of all steps: after these the run may be over before the signal arrives


@dataclasses.dataclass(frozen=True)
class Interruption:
    """A signal to send.

    Attributes:
      kind: which.
      step: once the batch of this step is built; None: while the process starts.
      delay: after that, in times that a step takes; or a share of the time until the first batch.
    """

    kind: signal.Signals
    step: int | None
    delay: float


def draw_plan(seed: int, count: int, steps: int) -> list[Interruption]:
    """Interruptions in the order of their steps; each kind equally often.

    Args:
      seed: of all draws.
      count: how many.
      steps: of the run; one moment is drawn in each of as many equal parts as interruptions.
    """
    draws = random.Random(seed)
    kinds = [KINDS[n % len(KINDS)] for n in range(count)]
    draws.shuffle(kinds)
    early = set(draws.sample(range(count), round(_STARTING * count)))
    plan = []
    for number, kind in enumerate(kinds):
        if number in early:
            plan.append(Interruption(kind, None, draws.random()))
        else:
            step = 1 + int((number + draws.random()) / count * _UNTIL * steps)
            plan.append(Interruption(kind, step, draws.uniform(0, 10)))
    return plan
