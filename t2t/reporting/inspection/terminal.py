"""The report as coloured lines for a terminal."""

import sys
from collections.abc import Iterator, Mapping

import numpy as np
from rich.console import Console
from rich.text import Text

from t2t.data.registry import MixtureRegistry, TaskRegistry
from t2t.data.vocabularies import Vocabulary
from t2t.reporting.inspection.facts import Part
from t2t.reporting.inspection.lengths import Lengths, Survey
from t2t.reporting.inspection.packed_rows import PackedRows
from t2t.reporting.inspection.pieces import pieces, spelled_out
from t2t.reporting.inspection.report import Report, TaskReport
from t2t.reporting.inspection.stage_changes import EXAMPLES_SHOWN, changes, short, text_of
from t2t.reporting.inspection.token_arrays import TokenArray, arrays_of
from t2t.reporting.inspection.traces import Trace

STYLES = {
    "sentinel": "bold magenta",
    "mask": "bold yellow",
    "special": "cyan",
    "eos": "green",
    "pad": "dim",
    "unknown": "bold red",
}
_NOISE = "red strike"
_TOKENS_SHOWN = 24
_BAR = 40
_BINS = 12


def show(lines: Iterator[Text]) -> None:
    """Prints lines: coloured on a terminal, plain elsewhere."""
    console = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
    for line in lines:
        if console.is_terminal:
            console.print(line)
        else:
            sys.stdout.write(f"{line.plain}\n")


def all_lines() -> Iterator[Text]:
    """A line per registered task and mixture."""
    for name in TaskRegistry.names():
        yield Text(f"task     {name}  ({TaskRegistry.defined_at(name)})")
    for name in MixtureRegistry.names():
        yield Text(f"mixture  {name}  ({MixtureRegistry.defined_at(name)})")


def report_lines(report: Report) -> Iterator[Text]:
    """Everything in the report."""
    if report.parts:
        yield Text(f"mixture {report.name}, defined at {report.place}", "bold")
        yield from map(_part_line, report.parts)
        if report.packing:
            yield _fill_line(report.packing, report)
        yield Text()
    for task in report.tasks:
        yield Text(f"=== {task.task.name}  ({task.share:.1%} of {report.name})", "bold")
        yield from _task_lines(task, report)


def _part_line(part: Part) -> Text:
    kind = "mixture" if part.is_mixture else "task"
    name = "  " * part.depth + part.name
    what = "" if part.has_split else "  no such split: left out"
    if part.rate == 0:
        what = "  rate 0: only evaluated"
    bar = "█" * round(_BAR * part.share)
    line = Text(f"  {name:32} {kind:7} rate {part.rate:<12g} {part.share:6.1%} ")
    return line.append(bar, "blue").append(what, "yellow")


def _task_lines(task: TaskReport, report: Report) -> Iterator[Text]:
    for what, value in task.facts:
        yield Text(f"{what}: ", "cyan").append(value)
    features = task.task.output_features
    vocabularies = {name: feature.vocabulary for name, feature in features.items()}
    for trace in [*task.documents, *task.traces]:
        yield from _trace_lines(trace, task, vocabularies)
    if task.survey:
        yield from _survey_lines(task.survey)
    if task.packing:
        yield _fill_line(task.packing, report)
    if task.skipped:
        yield Text(task.skipped, "yellow")
    if task.error:
        yield Text(f"error: {task.error}", "bold red")
    yield Text()


def _trace_lines(
    trace: Trace, task: TaskReport, vocabularies: Mapping[str, Vocabulary]
) -> Iterator[Text]:
    yield Text(f"--- {trace.title}", "bold")
    for change in changes(trace.stages):
        head = "raw    " if change.stage == "raw" else f"after {change.stage}:"
        for name, value in change.fields:
            yield Text(f"{head} ", "cyan").append(f"{name}: {short(value)}")
        if change.note:
            yield Text(f"{head} ", "cyan").append(change.note, "yellow")
    for example in trace.texts[:EXAMPLES_SHOWN]:
        for name in task.task.text_features:
            yield Text("text    ", "cyan").append(f"{name}: {short(text_of(example, name))}")
    if trace.outcome:
        yield Text(trace.outcome, "yellow")
    for made in trace.made[:EXAMPLES_SHOWN]:
        for array in arrays_of(made, vocabularies):
            yield from _array_lines(array)


def _array_lines(array: TokenArray) -> Iterator[Text]:
    values = array.values[: array.used]
    line = Text(f"{array.group:8}", "cyan")
    line.append(f"{array.name} [{len(array.values)}")
    line.append(f", {array.used} used]: " if array.used < len(array.values) else "]: ")
    if array.vocabulary is None:
        yield line.append(_numbers(values))
        return
    shown = pieces(array.vocabulary, values[:_TOKENS_SHOWN])
    for i, piece in enumerate(shown):
        noisy = array.noise is not None and array.noise[i]
        style = _NOISE if noisy else STYLES.get(piece.kind, "")
        line.append(repr(piece.text)[1:-1], style).append(f"/{piece.id} ", "dim")
    yield line.append("…" if len(values) > _TOKENS_SHOWN else "")
    if array.group != "row":
        line = Text(f"        {array.name} read back: '")
        for text, kind in spelled_out(array.vocabulary, values):
            line.append(repr(text)[1:-1], STYLES.get(kind, ""))
        yield line.append("'")


def _numbers(values: np.ndarray) -> str:
    more = " …" if len(values) > _TOKENS_SHOWN else ""
    return f"{values[:_TOKENS_SHOWN].tolist()}{more}"


def _survey_lines(survey: Survey) -> Iterator[Text]:
    whole = survey.sampled == survey.available
    of = "all" if whole else f"a sample (--sample) of {survey.sampled:,} of the"
    yield Text(f"--- lengths over {of} {survey.available:,} raw examples", "bold")
    yield Text(
        f"{survey.skipped:,} skipped, {survey.dropped:,} dropped by preprocessors, "
        f"{survey.made:,} examples made"
    )
    for warning in survey.lossy:
        yield Text(warning, "yellow")
    for lengths in survey.before:
        kind = "before trimming" if not survey.after else "of documents, before segments"
        yield from _lengths_lines(lengths, kind)
    for lengths in survey.after:
        yield from _lengths_lines(lengths, "made by the objective")


def _lengths_lines(lengths: Lengths, kind: str) -> Iterator[Text]:
    numbers = "  ".join(
        f"{name} {value:,.1f}" if name == "mean" else f"{name} {value:,}"
        for name, value in lengths.summary.items()
    )
    yield Text(f"{lengths.name} ", "bold").append(f"tokens {kind}:  {numbers}")
    if lengths.limit is not None:
        share = lengths.cut / len(lengths.values)
        lost = lengths.lost / max(int(lengths.values.sum()), 1)
        yield Text(
            f"  cut at {lengths.limit:,}: {lengths.cut:,} of {len(lengths.values):,} sequences "
            f"({share:.1%}), {lengths.lost:,} tokens lost ({lost:.1%})",
            "yellow" if lengths.cut else "",
        )
    bins = lengths.histogram(_BINS)
    highest = max(count for _, _, count in bins)
    for first, last, count in bins:
        beyond = lengths.limit is not None and first > lengths.limit
        bar = "█" * round(_BAR * count / highest) or ("▏" if count else "")
        label = f"{first:,}" if first == last else f"{first:,}-{last:,}"
        line = Text(f"  {label:>17} {count:>8,} ").append(bar, "red" if beyond else "blue")
        yield line.append("  ◂ limit" if last == lengths.limit else "", "yellow")


def _fill_line(packing: PackedRows, report: Report) -> Text:
    lengths = ", ".join(f"{n} {size}" for n, size in report.settings.sequence_length.items())
    fills = ", ".join(f"{side} {fill:.1%}" for side, fill in packing.fill.items())
    return Text(
        f"packing at {lengths}: {fills} filled, {packing.examples / packing.rows:.2f} examples "
        f"per row (over {packing.rows} rows)"
    )
