"""Which curves are drawn together, and their points as JSON."""

import dataclasses
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from t2t.reporting.run_report.log_reader import Series
from t2t.reporting.run_report.runs import Run
from t2t.reporting.run_report.thinning import thin

_POINTS_IN_ALL = 60_000  # about 1 MB of JSON
_MOST_POINTS, _FEWEST_POINTS = 700, 16
_NORMS = {
    "grad_norm": "gradient norm",
    "param_norm": "parameter norm",
    "update_norm": "update norm",
}
_SPEED = {
    "perf/tokens_per_second": "tokens per second",
    "perf/mfu": "MFU",
    "perf/step_time": "seconds per step",
    "perf/goodput": "goodput",
    "perf/memory_bytes": "memory, GiB",
}
_DIVIDED = {"perf/memory_bytes": 2.0**30}


@dataclasses.dataclass(frozen=True)
class Curve:
    """Of one run.

    Attributes:
      run: its place on the page.
      label: "train", "eval" or "".
      series: what is drawn.
      low, high: ends of confidence intervals by step, if there are any.
    """

    run: int
    label: str
    series: Series
    intervals: Mapping[int, tuple[float, float]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Chart:
    """Attributes: `baseline`, what a trivial rule would score."""

    title: str
    curves: Sequence[Curve]
    baseline: float | None = None


@dataclasses.dataclass(frozen=True)
class Charts:
    """Of all runs, in groups; empty charts are left out."""

    loss: Sequence[Chart]
    tasks: Mapping[str, Sequence[Chart]]
    learning_rate: Sequence[Chart]
    norms: Sequence[Chart]
    parts: Sequence[Chart]
    speed: Sequence[Chart]
    guard: Sequence[Chart]
    other: Sequence[Chart]

    def all(self) -> Iterator[Chart]:
        """In the order of the page."""
        yield from self.loss
        for charts in self.tasks.values():
            yield from charts
        for group in (self.learning_rate, self.norms, self.parts):
            yield from group
        for group in (self.guard, self.speed, self.other):
            yield from group


def charts_of(runs: Sequence[Run]) -> Charts:
    """Whatever the runs logged."""
    names = list(dict.fromkeys(name for run in runs for name in run.series))
    drawn: set[str] = set()

    def chart(title: str, **labelled: str) -> Chart:
        drawn.update(labelled.values())
        curves = [
            Curve(place, label, _scaled(name, run.series[name]), _intervals(run, name))
            for label, name in labelled.items()
            for place, run in enumerate(runs)
            if name in run.series
        ]
        return Chart(title, curves, _baseline(runs, labelled.get("eval", "")))

    tasks = list(dict.fromkeys(task for run in runs for task in run.tasks))
    loss = [
        chart("loss", train="train/loss", eval="eval/loss"),
        chart("token accuracy", train="train/token_accuracy"),
    ]
    of_tasks = {}
    for task in tasks:
        prefix = f"eval/{task}/"
        charts = [chart("loss", train=f"train/{task}/loss", eval=f"{prefix}loss")]
        metrics = [name for name in names if name.startswith(prefix) and name not in drawn]
        metrics = [name for name in metrics if _task_of(name, tasks) == task]
        charts += [chart(name.removeprefix(prefix), eval=name) for name in metrics]
        charts.append(chart("tokens seen", train=f"data/{task}/tokens"))
        of_tasks[task] = _filled(charts)
    drawn.update(n for n in names if n.startswith("data/") or n.endswith("/target_tokens"))
    learning_rate = [chart("learning rate", train="train/learning_rate")]
    norms = [chart(title, train=f"train/{name}") for name, title in _NORMS.items()]
    parts = [
        chart(f"{title}, {part}", train=f"train/{name}/{part}")
        for name, title in _NORMS.items()
        for part in sorted({n[len(name) + 7 :] for n in names if n.startswith(f"train/{name}/")})
    ]
    speed = [chart(title, train=name) for name, title in _SPEED.items()]
    guard = [
        chart(title, train=f"guard/{name}")
        for name, title in (("skipped", "updates left out"), ("rollbacks", "rollbacks"))
        if any(run.series[f"guard/{name}"].values.any() for run in runs
               if f"guard/{name}" in run.series)
    ]  # fmt: skip
    drawn.update(n for n in names if n.startswith(("perf/", "guard/")))
    rest = [name for name in names if name not in drawn]
    loss += [chart(n.removeprefix("eval/"), eval=n) for n in rest if re.fullmatch(r"eval/\w+", n)]
    other = [chart(name, train=name) for name in rest if name not in drawn]
    groups = (loss, learning_rate, norms, parts, speed, guard, other)
    filled = [_filled(group) for group in groups]
    return Charts(filled[0], {t: c for t, c in of_tasks.items() if c}, *filled[1:])


def chart_data(charts: Iterable[Chart]) -> list[dict[str, Any]]:
    """For the page's script; as many points as the page can hold, the same number of each curve."""
    charts = list(charts)
    curves = sum(len(chart.curves) for chart in charts)
    most = min(max(_POINTS_IN_ALL // max(curves, 1), _FEWEST_POINTS), _MOST_POINTS)
    return [
        {
            "title": chart.title,
            "baseline": _short(chart.baseline) if chart.baseline is not None else None,
            "curves": [_curve_data(curve, most) for curve in chart.curves],
        }
        for chart in charts
    ]


def axes_of(run: Run) -> dict[str, Any]:
    """What steps are in tokens and in hours of training: `{"tokens": [steps, values], ...}`."""
    found = {}
    counts = [s for name, s in run.series.items() if re.fullmatch(r"data/.+/tokens", name)]
    if counts:
        steps = counts[0].steps
        total = sum((np.interp(steps, s.steps, s.values) for s in counts), np.zeros(len(steps)))
        found["tokens"] = _xy(thin(Series(steps, total), 200).points)
    if seconds := seconds_by_activity(run):
        steps = np.unique(np.concatenate([s.steps for s in seconds.values()]))
        total = np.zeros(len(steps))
        for s in seconds.values():
            total[np.searchsorted(steps, s.steps)] += np.nan_to_num(s.values)
        found["hours"] = _xy(thin(Series(steps, np.cumsum(total) / 3600), 200).points)
    return found


def seconds_by_activity(run: Run) -> dict[str, Series]:
    """Of each log line: seconds of "step", "data", "compilation", and so on."""
    names = {n: m[1] for n in run.series if (m := re.fullmatch(r"perf/(\w+)_seconds", n))}
    return {activity: run.series[n] for n, activity in names.items() if activity != "productive"}


def _filled(charts: Iterable[Chart]) -> list[Chart]:
    return [chart for chart in charts if chart.curves]


def _scaled(name: str, series: Series) -> Series:
    return Series(series.steps, series.values / _DIVIDED.get(name, 1.0))


def _task_of(name: str, tasks: Sequence[str]) -> str:
    """The longest that fits, as one task's name may begin as another's."""
    rest = name.split("/", 1)[1]
    return max((t for t in tasks if rest.startswith(f"{t}/")), key=len, default="")


def _found(run: Run, name: str, kind: str) -> dict[int, Any]:
    """What `results-<step>.json` has of "eval/<task>/<metric>": "intervals" or "baselines"."""
    task = _task_of(name, run.tasks) if name.startswith("eval/") else ""
    metric = name.removeprefix(f"eval/{task}/")
    found = {}
    for step, results in run.results.items():
        value = results.get(task, {}).get(kind, {}).get(metric)
        if value is not None:
            found[step] = value
    return found


def _intervals(run: Run, name: str) -> dict[int, tuple[float, float]]:
    return {step: (low, high) for step, (low, high) in _found(run, name, "intervals").items()}


def _baseline(runs: Sequence[Run], name: str) -> float | None:
    values = [value for run in runs for value in _found(run, name, "baselines").values()]
    if name.endswith("/loss"):
        return _baseline(runs, name.removesuffix("loss") + "unigram_loss")
    return float(values[-1]) if values else None


def _curve_data(curve: Curve, most: int) -> dict[str, Any]:
    points, means = thin(curve.series, most)
    x, y = _xy(points)
    data: dict[str, Any] = {"run": curve.run, "label": curve.label, "x": x, "y": y}
    if means is not None:
        data["means"] = _xy(means)
    if curve.intervals:
        nothing = (math.nan, math.nan)
        ends = [curve.intervals.get(step, nothing) for step in x]
        data["low"], data["high"] = ([_short(end[i]) for end in ends] for i in (0, 1))
    return data


def _xy(series: Series) -> tuple[list[int], list[float | None]]:
    return series.steps.tolist(), [_short(value) for value in series.values.tolist()]


def _short(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None
