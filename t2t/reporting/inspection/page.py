"""The report as one page of HTML that needs nothing else: no scripts, fonts, or network."""

from collections.abc import Iterator, Sequence

from t2t import __version__
from t2t.reporting.html.document import document, packaged
from t2t.reporting.html.markup import Markup, tag
from t2t.reporting.inspection.lengths import Lengths, Survey
from t2t.reporting.inspection.packed_rows import PackedRows
from t2t.reporting.inspection.page_charts import composition, histogram, packed
from t2t.reporting.inspection.page_tokens import legend, token_row
from t2t.reporting.inspection.report import Report, TaskReport
from t2t.reporting.inspection.stage_changes import EXAMPLES_SHOWN, changes, text_of
from t2t.reporting.inspection.token_arrays import arrays_of
from t2t.reporting.inspection.traces import ModelExample, Trace

_LONGEST_TEXT = 4000
_COLUMNS = ("min", "mean", "p50", "p90", "p99", "max")


def page(report: Report) -> str:
    """The whole document."""
    style = packaged("t2t.reporting.inspection", "page.css")
    content = [_header(report), *_mixture(report), *map(_task, report.tasks), _footer()]
    return document(f"{report.name} · t2t inspect", *content, styles=[style])


def _header(report: Report) -> Markup:
    settings = report.settings
    lengths = ", ".join(f"{name} {size:,}" for name, size in settings.sequence_length.items())
    facts = [
        ("defined at", report.place),
        ("split", settings.split),
        ("sequence length", lengths),
        ("seed", str(settings.seed)),
    ]
    links = [tag("a", t.task.name, href=f"#{t.task.name}") for t in report.tasks]
    kind = "Mixture" if report.parts else "Task"
    return tag(
        "header",
        tag("p", kind, class_="kind"),
        tag("h1", report.name),
        _facts(facts),
        *[tag("p", error, class_="error", role="alert") for error in report.errors],
        *([tag("nav", *links)] if len(links) > 1 else []),
        legend(),
    )


def _footer() -> Markup:
    return tag("footer", f"Made by t2t {__version__} inspect.")


def _mixture(report: Report) -> Iterator[Markup]:
    if report.parts:
        yield tag("section", tag("h2", "Composition"), composition(list(report.parts)))
    if report.packing:
        yield tag("section", *_packing(report.packing, "h2"))


def _task(report: TaskReport) -> Markup:
    share = [tag("small", f" {report.share:.1%}")] if report.share < 1 else []
    parts = [tag("h2", report.task.name, *share), _facts(report.facts)]
    if report.error and report.share < 1:  # else it stands at the top of the page
        parts.append(tag("p", report.error, class_="error"))
    if report.skipped:
        parts.append(tag("p", report.skipped, class_="warning"))
    if report.documents:
        parts.append(tag("h3", "Documents"))
        parts += [_trace(trace, report, is_open=False) for trace in report.documents]
    if report.traces:
        parts.append(tag("h3", "Segments" if report.documents else "Examples"))
        parts += [_trace(t, report, is_open=i == 0) for i, t in enumerate(report.traces)]
    if report.survey:
        parts += _survey(report.survey)
    if report.packing:
        parts += _packing(report.packing, "h3")
    return tag("section", *parts, id=report.task.name, class_="task")


def _facts(facts) -> Markup:
    pairs = [tag("div", tag("dt", what), tag("dd", value)) for what, value in facts]
    return tag("dl", *pairs)


def _trace(trace: Trace, report: TaskReport, *, is_open: bool) -> Markup:
    open_ = is_open or trace.error is not None
    stages = []
    for change in changes(trace.stages):
        fields = [_field(name, value) for name, value in change.fields]
        note = [tag("p", change.note, class_="note")] if change.note else []
        stages.append(_stage(change.stage, *fields, *note))
    for number, example in enumerate(trace.texts[:EXAMPLES_SHOWN], 1):
        strings = [_field(name, text_of(example, name)) for name in report.task.text_features]
        stages.append(_stage(_numbered("strings", number, trace.texts), *strings))
    if trace.outcome:
        stages.append(_stage("outcome", tag("p", trace.outcome, class_="warning")))
    for number, made in enumerate(trace.made[:EXAMPLES_SHOWN], 1):
        for name, rows in _model_stages(made, report):
            stages.append(_stage(_numbered(name, number, trace.made), *rows))
    if trace.error:
        stages.append(_stage("error", tag("p", trace.error, class_="error")))
    summary = tag("summary", trace.title, *_outcome_mark(trace))
    opened = {"open": "open"} if open_ else {}
    return tag("details", summary, *stages, class_="trace", **opened)


def _outcome_mark(trace: Trace) -> list[Markup]:
    mark = "error" if trace.error else trace.outcome
    return [tag("span", mark, class_="mark")] if mark else []


def _numbered(stage: str, number: int, of: Sequence) -> str:
    return stage if len(of) == 1 else f"{stage}, {number} of {len(of)}"


def _model_stages(made: ModelExample, report: TaskReport) -> Iterator[tuple[str, list[Markup]]]:
    features = report.task.output_features
    arrays = list(arrays_of(made, {name: f.vocabulary for name, f in features.items()}))
    names = {
        "segment": "segment",
        "tokens": "tokens" if made.segment is None else "objective",
        "row": "row of a batch",
    }
    for group, title in names.items():
        rows = [token_row(array) for array in arrays if array.group == group]
        if rows:
            yield title, rows


def _stage(name: str, *content: Markup) -> Markup:
    return tag("div", tag("h4", name), tag("div", *content), class_="stage")


def _field(name: str, value: object) -> Markup:
    shown = value if isinstance(value, str) else repr(value)
    more = f"… ({len(shown):,} characters)" if len(shown) > _LONGEST_TEXT else ""
    label = tag("div", tag("b", name), class_="label")
    return tag("div", label, tag("div", shown[:_LONGEST_TEXT] + more, class_="value"), class_="row")


def _survey(survey: Survey) -> list[Markup]:
    whole = survey.sampled == survey.available
    of = "all" if whole else f"a sample of {survey.sampled:,} of the"
    counts = (
        f"Over {of} {survey.available:,} raw examples: {survey.skipped:,} skipped, "
        f"{survey.dropped:,} dropped by preprocessors, {survey.made:,} examples made."
    )
    kind = "of documents, before segments" if survey.after else "before trimming"
    measured = [(lengths, kind) for lengths in survey.before]
    measured += [(lengths, "made by the objective") for lengths in survey.after]
    heads = ["feature", *_COLUMNS, "limit", "sequences cut", "tokens lost"]
    table = tag(
        "table",
        tag("thead", tag("tr", *(tag("th", head) for head in heads))),
        tag("tbody", *(_lengths_row(lengths, kind) for lengths, kind in measured)),
    )
    charts = [histogram(lengths, f"tokens {kind}") for lengths, kind in measured]
    return [
        tag("h3", "Token lengths"),
        tag("p", counts),
        *[tag("p", warning, class_="warning") for warning in survey.lossy],
        tag("div", table, class_="scroll"),
        tag("div", *charts, class_="charts"),
    ]


def _lengths_row(lengths: Lengths, kind: str) -> Markup:
    summary = lengths.summary
    cells = [f"{summary[c]:,.1f}" if c == "mean" else f"{summary[c]:,}" for c in _COLUMNS]
    if lengths.limit is None:
        cells += ["", "", ""]
    else:
        share = lengths.cut / len(lengths.values)
        lost = lengths.lost / max(int(lengths.values.sum()), 1)
        cells += [f"{lengths.limit:,}", f"{lengths.cut:,} ({share:.1%})"]
        cells += [f"{lengths.lost:,} ({lost:.1%})"]
    name = tag("td", tag("b", lengths.name), tag("small", f" {kind}"))
    return tag("tr", name, *(tag("td", cell, class_="n") for cell in cells))


def _packing(packing: PackedRows, heading: str) -> Iterator[Markup]:
    yield tag(heading, "Packing")
    yield tag(
        "p",
        f"{packing.examples / packing.rows:.2f} examples per row over {packing.rows} rows; the "
        f"first {len(packing.tasks)} of them:",
    )
    yield packed(packing)
