"""How a service's run is found again after an interruption."""

import contextlib
import json
from collections.abc import Mapping
from typing import Any

from t2t.training.run_directory import RunDirectory


def recall(run: RunDirectory, service: str) -> dict[str, Any]:
    """What was kept with `remember`; empty if nothing was, or it is damaged."""
    return dict(_all(run).get(service, {}))


def remember(run: RunDirectory, service: str, what: Mapping[str, Any]) -> None:
    """Keeps JSON in the run's folder."""
    run.write(run.trackers, json.dumps({**_all(run), service: what}, indent=1) + "\n")


def not_yet_logged(
    values: Mapping[str, float], step: int, last: Mapping[str, int]
) -> dict[str, float]:
    """Those of the names for which the service has nothing of this step or a later one.

    Args:
      values: to log.
      step: of them.
      last: the newest step that the service has, by name.
    """
    return {name: value for name, value in values.items() if step > last.get(name, -1)}


def _all(run: RunDirectory) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        return dict(json.loads(run.trackers.read_text(encoding="utf-8")))
    return {}
