"""How processes that save a checkpoint together wait for each other."""

import sys

import orbax.checkpoint as ocp


def unless_failing(*, key: str, timeout_ms: int) -> None:
    """Waits for all processes; but not where a save is being ended by an exception.

    Orbax waits even then, for 20 minutes, since the others are waiting elsewhere. Without that, the
    error comes out at once, and ends all.
    """
    if sys.exc_info()[0] is None:
        ocp.multihost.get_barrier_sync_fn()(key=key, timeout_ms=timeout_ms)
