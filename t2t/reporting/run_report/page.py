"""The report as one page of HTML."""

import json
from collections.abc import Iterator, Sequence

from t2t import __version__
from t2t.reporting.html.document import document, packaged
from t2t.reporting.html.markup import Markup, tag
from t2t.reporting.run_report.charts import Chart, Charts, axes_of, chart_data, charts_of
from t2t.reporting.run_report.comparison import clock_time, events_of
from t2t.reporting.run_report.marks import count, number, part, run_name
from t2t.reporting.run_report.page_predictions import predictions
from t2t.reporting.run_report.page_tables import (
    configuration,
    events,
    hardware,
    overview,
    time_splits,
    tokens,
)
from t2t.reporting.run_report.runs import Run

_PACKAGE = "t2t.reporting.run_report"
_OPEN_TASKS = 8
_MOST_EVENTS = 200  # drawn into each chart, by run


def page(runs: Sequence[Run], version: str | None = None) -> str:
    """The whole document.

    Args:
      runs: to show, or to lay over each other.
      version: for a page that asks its server for a newer one.
    """
    charts = charts_of(runs)
    names = ", ".join(run.name for run in runs)
    sections = list(_sections(runs, charts))
    links = [tag("a", title, href=f"#{name}") for name, title, _ in sections]
    content = [
        part("head", _header(runs), element="header"),
        *([_live(version)] if version is not None else []),
        part("contents", *links, element="nav"),
        _tools(runs, charts),
        *(part(name, tag("h2", title), *content) for name, title, content in sections),
        part("foot", f"Made by t2t {__version__} report{_until(runs)}.",
             element="footer"),
        _data(runs, charts),
    ]  # fmt: skip
    scripts = [packaged(_PACKAGE, "page.js")]
    if version is not None:
        scripts.append(packaged(_PACKAGE, "live.js"))
    return document(
        f"{names} · t2t report",
        *content,
        styles=[packaged(_PACKAGE, "page.css")],
        scripts=scripts,
        asks_server=version is not None,
    )


def _header(runs: Sequence[Run]) -> Markup:
    several = len(runs) > 1
    heading = f"{len(runs)} runs" if several else runs[0].name
    notes = [
        tag("p", *([run_name(i, run.name), " "] if several else []), note, class_="warning")
        for i, run in enumerate(runs)
        for note in run.notes
    ]
    return tag(
        "div",
        tag("p", "Report of a run" if not several else "Report of runs", class_="kind"),
        tag("h1", heading),
        overview(runs),
        *notes,
        tag("noscript", tag("p", "The curves are drawn by the page's script.", class_="warning")),
    )


def _live(version: str) -> Markup:
    return tag("p", "Live.", id="live", class_="live", data_part="", data_version=version,
               role="status")  # fmt: skip


def _tools(runs: Sequence[Run], charts: Charts) -> Markup:
    if not any(charts.all()):
        return Markup("")
    buttons = [
        tag(
            "button",
            tag("span", run.name, class_=f"run run-{i % 8}"),
            type="button",
            data_run=i,
            aria_pressed="true",
            title="show or hide",
        )
        for i, run in enumerate(runs)
    ]
    shown = [tag("span", *buttons, class_="runs")] if len(runs) > 1 else []
    axes = [axis for axis in ("tokens", "hours") if all(axis in axes_of(run) for run in runs)]
    options = [tag("option", label, value=label) for label in ("step", *axes)]
    return tag(
        "div",
        *shown,
        tag("label", "over", tag("select", *options, id="axis")),
        tag("label", tag("input", type="checkbox", id="log"), "log scale"),
        tag(
            "label",
            "smoothing",
            tag("input", type="range", id="smoothing", min=0, max=98, value=0),
            tag("output", "0", id="smoothed", for_="smoothing"),
        ),
        tag("span", *_keys(charts), class_="keys"),
        class_="tools",
        role="toolbar",
        aria_label="charts",
    )


def _keys(charts: Charts) -> Iterator[Markup]:
    labels = {curve.label for chart in charts.all() for curve in chart.curves}
    for label, dashes in (("train", ""), ("eval", "6 3")):
        if {"train", "eval"} <= labels:
            line = tag("line", x1=0, x2=26, y1=5, y2=5, stroke="currentColor",
                       stroke_width="2", stroke_dasharray=dashes or None)  # fmt: skip
            picture = tag("svg", line, viewBox="0 0 26 10", aria_hidden="true")
            yield tag("span", picture, f" {label} ", class_="key")


def _sections(runs: Sequence[Run], charts: Charts) -> Iterator[tuple[str, str, Sequence[Markup]]]:
    """Identifier, title and content of each."""
    numbers = {id(chart): i for i, chart in enumerate(charts.all())}

    def grid(group: Sequence[Chart]) -> Markup:
        return tag("div", *(_chart(chart, numbers[id(chart)], runs) for chart in group),
                   class_="grid")  # fmt: skip

    def folded(name: str, title: str, content: Markup, *, is_open: bool = False) -> Markup:
        opened = {"open": "open"} if is_open else {}
        return tag("details", tag("summary", title), content, id=name, **opened)

    if charts.loss:
        yield "loss", "Loss", [grid(charts.loss)]
    if charts.tasks:
        of_tasks = [
            folded(f"task-{task}", task, grid(group), is_open=i < _OPEN_TASKS)
            for i, (task, group) in enumerate(charts.tasks.items())
        ]
        yield "tasks", "Tasks", of_tasks
    if said := predictions(runs):
        yield "predictions", "Predictions of the same examples", said
    if charts.learning_rate or charts.norms:
        parts = (
            [folded("parts", "By part of the model", grid(charts.parts))] if charts.parts else []
        )
        drawn = grid([*charts.learning_rate, *charts.norms])
        yield "optimisation", "Optimisation", [drawn, *parts]
    if charts.guard:
        yield "guard", "Updates left out", [grid(charts.guard)]
    if seen := tokens(runs):
        yield "data", "Data", [seen]
    if charts.speed:
        yield "speed", "Speed and time", [grid(charts.speed), *time_splits(runs)]
    if charts.other:
        curves = f"{len(charts.other)} curves"
        yield "other", "Other values", [folded("others", curves, grid(charts.other))]
    yield "hardware", "Hardware", [hardware(runs)]
    yield "events", "Events", list(events(runs))
    yield "configuration", "Configuration", list(configuration(runs))


def _chart(chart: Chart, place: int, runs: Sequence[Run]) -> Markup:
    labels = dict.fromkeys(curve.label for curve in chart.curves)
    last = []
    for label in labels:
        values = [
            tag("span", number(float(curve.series.values[-1])), class_=f"last run-{curve.run % 8}")
            for curve in chart.curves
            if curve.label == label
        ]
        last.append(tag("span", *([label] if len(labels) > 1 else []), *values, class_="values"))
    told = "; ".join(
        f"{runs[curve.run].name} {curve.label} {number(float(curve.series.values[-1]))} at step "
        f"{count(int(curve.series.steps[-1]))}"
        for curve in chart.curves
    )
    return tag(
        "figure",
        tag("figcaption", tag("b", chart.title), *last),
        tag("div", class_="plot"),
        tag("div", class_="tip", role="status", hidden="hidden"),
        class_="chart",
        data_chart=place,
        tabindex=0,
        aria_label=f"{chart.title}: {told}. Arrow keys read the values.",
    )


def _data(runs: Sequence[Run], charts: Charts) -> Markup:
    data = {
        "runs": [
            {
                "name": run.name,
                "axes": axes_of(run),
                "events": [
                    {"step": event.step, "kind": event.kind}
                    for event in events_of(run)[:_MOST_EVENTS]
                    if event.kind != "guard"
                ],
            }
            for run in runs
        ],
        "charts": chart_data(charts.all()),
    }
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return tag("script", Markup(text), type="application/json", id="page-data", data_part="")


def _until(runs: Sequence[Run]) -> str:
    newest = max((run.last_logged for run in runs if run.last_logged), default=None)
    return f" of what was logged until {clock_time(newest)}" if newest else ""
