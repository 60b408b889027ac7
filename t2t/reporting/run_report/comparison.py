"""How the configurations of runs differ, and what happened to each."""

import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from t2t.reporting.run_report.charts import seconds_by_activity
from t2t.reporting.run_report.runs import Run

_PLACES = {"MODEL_DIR", "train.model_dir"}  # differ always
_GAP = 5.0  # seconds; below, time that no log line accounts for is not worth a word


def differing_settings(runs: Sequence[Run]) -> dict[str, list[str | None]]:
    """The value of each run, None where it has none, of settings that are not the same in all."""
    configured = [run.settings for run in runs]
    names = sorted({name for settings in configured for name in settings} - _PLACES)
    found = {name: [settings.get(name) for settings in configured] for name in names}
    return {name: values for name, values in found.items() if len(set(values)) > 1}


def time_split(run: Run) -> dict[str, float]:
    """Seconds by activity, the longest first.

    "elsewhere" is the time between the first start and the last log line that none accounts for:
    starting, ends of runs, interruptions and what was lost in them.
    """
    split = {k: float(np.nansum(s.values)) for k, s in seconds_by_activity(run).items()}
    if split and run.first_started and run.last_logged:
        elsewhere = run.last_logged - run.first_started - sum(split.values())
        if elsewhere > _GAP:
            split["elsewhere"] = elsewhere
    return dict(sorted(split.items(), key=lambda item: -item[1]))


def tokens_by_task(run: Run) -> dict[str, tuple[int, int]]:
    """Tokens and examples that went into training, by task."""
    found = {}
    for name, series in run.series.items():
        if match := re.fullmatch(r"data/(.+)/tokens", name):
            examples = run.series.get(f"data/{match[1]}/examples")
            count = int(examples.values[-1]) if examples else 0
            found[match[1]] = int(series.values[-1]), count
    return found


class Event(NamedTuple):
    """Something that happened to a run; `time` in seconds since the epoch, if known."""

    step: int
    time: float | None
    kind: str
    text: str


def events_of(run: Run) -> list[Event]:
    """Starts, rollbacks and updates left out, by step; `kind` is "start", "rollback" or "guard"."""
    events = [_start(start, first=i == 0) for i, start in enumerate(run.starts)]
    events += _increments(run.series, "guard/rollbacks", "rollback", "training went back")
    events += _increments(run.series, "guard/skipped", "guard", "updates left out")
    return sorted(events, key=lambda event: (event.step, event.time or 0.0))


def clock_time(seconds: float | None) -> str:
    """Of this machine's time zone; "" if it is not known."""
    if seconds is None:
        return ""
    return datetime.datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def _start(start: Mapping[str, object], *, first: bool) -> Event:
    step, when = start.get("step"), start.get("time")
    where = f"{start.get('devices', '?')} x {start.get('device', '?')} on {start.get('host', '?')}"
    text = f"{'started' if first else 'started again'} on {where}"
    return Event(
        step if isinstance(step, int) else 0,
        float(when) if isinstance(when, int | float) else None,
        "start",
        text,
    )


def _increments(series: Mapping, name: str, kind: str, text: str) -> Iterator[Event]:
    if name not in series:
        return
    steps, values = series[name]
    before = np.concatenate([[0.0], values[:-1]])
    for place in np.flatnonzero(values > before):
        more = int(values[place] - before[place])
        yield Event(int(steps[place]), None, kind, f"{text}: {more}")
