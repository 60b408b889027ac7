"""What the page tells in tables and bars."""

from collections.abc import Iterator, Sequence

from t2t.reporting.html.markup import Markup, join, tag
from t2t.reporting.run_report.comparison import (
    clock_time,
    differing_settings,
    events_of,
    time_split,
    tokens_by_task,
)
from t2t.reporting.run_report.marks import count, duration, large, number, run_name, table
from t2t.reporting.run_report.runs import Run

_MOST_EVENTS = 200
# Colours of base.css by activity, so that they mean the same in every run.
_ACTIVITIES = {"step": 0, "data": 1, "evaluation": 2, "checkpoint": 4, "compilation": 6}
_ACTIVITIES |= {"rollback": 3, "elsewhere": 7}
_MACHINE = {
    "device": "device",
    "devices": "devices",
    "processes": "processes",
    "host": "host",
    "system": "system",
    "python": "Python",
    "jax": "JAX",
    "t2t": "t2t",
}


def overview(runs: Sequence[Run]) -> Markup:
    """The most important facts of each run."""
    facts = [_facts(run) for run in runs]
    if len(runs) == 1:
        pairs = [tag("div", tag("dt", what), tag("dd", value)) for what, value in facts[0].items()]
        return join([tag("p", runs[0].path, class_="path"), tag("dl", *pairs)])
    whats = list(dict.fromkeys(what for of_run in facts for what in of_run))
    rows = [[what, *(of_run.get(what, "") for of_run in facts)] for what in whats]
    return table(["", *_names(runs)], [["folder", *(run.path for run in runs)], *rows], facts=True)


def _names(runs: Sequence[Run]) -> list[Markup]:
    return [run_name(i, run.name) for i, run in enumerate(runs)]


def _facts(run: Run) -> dict[str, str]:
    facts = {}
    if run.series or run.total_steps:
        total = run.total_steps
        facts["step"] = count(run.last_step) + (f" of {count(total)}" if total else "")
    for name, what in (("train/loss", "training loss"), ("eval/loss", "evaluation loss")):
        if name in run.series:
            facts[what] = number(float(run.series[name].values[-1]))
    if mixture := run.resolved("train.mixture"):
        facts["mixture"] = mixture.strip("'\"")
    if seen := tokens_by_task(run):
        facts["tokens seen"] = large(sum(seen_tokens for seen_tokens, _ in seen.values()))
    if run.parameters:
        facts["parameters"] = count(run.parameters)
    if split := time_split(run):
        facts["time in training"] = duration(sum(split.values()) - split.get("elsewhere", 0.0))
    if run.first_started:
        facts["first started"] = clock_time(run.first_started)
    if run.series:
        facts["last logged"] = clock_time(run.last_logged)
    if run.checkpoints:
        shown = ", ".join(map(count, run.checkpoints[-4:]))
        facts["checkpoints"] = f"… {shown}" if len(run.checkpoints) > 4 else shown
    return facts


def tokens(runs: Sequence[Run]) -> Markup | None:
    """Tokens and examples by task, with their shares of the run's."""
    seen = [tokens_by_task(run) for run in runs]
    tasks = list(dict.fromkeys(task for of_run in seen for task in of_run))
    if not tasks:
        return None
    totals = [sum(found for found, _ in of_run.values()) or 1 for of_run in seen]
    if len(runs) == 1:
        rows = [
            [task, count(found), f"{found / totals[0]:.1%}", count(examples)]
            for task, (found, examples) in seen[0].items()
        ]
        return table(["task", "tokens", "share", "examples"], rows)
    shares = [
        [
            f"{count(of_run[task][0])} ({of_run[task][0] / total:.1%})" if task in of_run else ""
            for of_run, total in zip(seen, totals, strict=True)
        ]
        for task in tasks
    ]
    named = [[task, *cells] for task, cells in zip(tasks, shares, strict=True)]
    return table(["tokens of", *_names(runs)], named, facts=True)


def time_splits(runs: Sequence[Run]) -> Iterator[Markup]:
    """A bar per run: what its time went into."""
    splits = [time_split(run) for run in runs]
    if not any(splits):
        return
    yield tag("h3", "Where the time went")
    for i, split in enumerate(splits):
        total = sum(split.values())
        if not total:
            continue
        name = run_name(i, runs[i].name) if len(runs) > 1 else Markup("")
        yield tag("p", name, f" {duration(total)} in all", class_="split-name")
        blocks = [
            tag(
                "i",
                activity if seconds > total * 0.08 else "",
                class_=_colour(activity),
                style=f"width:{100 * seconds / total:.2f}%",
                title=f"{activity}: {duration(seconds)}",
            )
            for activity, seconds in split.items()
        ]
        yield tag("div", *blocks, class_="shares split", aria_hidden="true")
    activities = list(dict.fromkeys(activity for split in splits for activity in split))
    rows = []
    for activity in activities:
        name = join([tag("i", class_=f"swatch {_colour(activity)}"), activity])
        cells = []
        for split in splits:
            share = split[activity] / sum(split.values()) if activity in split else 0.0
            cells.append(f"{duration(split[activity])} ({share:.1%})" if share else "")
        rows.append([name, *cells])
    heads = _names(runs) if len(runs) > 1 else ["time"]
    yield table(["activity", *heads], rows, facts=True)


def _colour(activity: str) -> str:
    return f"c{_ACTIVITIES.get(activity, 5)}"


def hardware(runs: Sequence[Run]) -> Markup:
    """On what each run was started last."""
    if not any(run.starts for run in runs):
        return tag("p", "Not recorded: the run is imported, or of an earlier version of t2t.")
    machines = [run.starts[-1] if run.starts else {} for run in runs]
    rows = [
        [what, *(str(machine.get(key, "not recorded")) for machine in machines)]
        for key, what in _MACHINE.items()
    ]
    return table(["", *_names(runs)], rows, facts=True)


def events(runs: Sequence[Run]) -> Iterator[Markup]:
    """Starts, rollbacks and updates left out, the newest first."""
    found = [(event, i) for i, run in enumerate(runs) for event in events_of(run)]
    found.sort(key=lambda item: (item[0].time or 0.0, item[0].step), reverse=True)
    if not found:
        yield tag("p", "None was recorded.")
        return
    of_run = [[name] for name in _names(runs)] if len(runs) > 1 else [[]]
    rows = [
        [*of_run[i], count(event.step), clock_time(event.time), event.text]
        for event, i in found[:_MOST_EVENTS]
    ]
    heads = [*(["run"] if len(runs) > 1 else []), "step", "time", "event"]
    yield table(heads, rows, facts=True)
    if len(found) > _MOST_EVENTS:
        yield tag("p", f"and {count(len(found) - _MOST_EVENTS)} more", class_="note")


def configuration(runs: Sequence[Run]) -> Iterator[Markup]:
    """What differs, and all of it, folded."""
    if len(runs) > 1:
        differing = differing_settings([run for run in runs if run.config])
        names = [run_name(i, run.name) for i, run in enumerate(runs) if run.config]
        rows = [[name, *(v if v is not None else "—" for v in values)] for name, values in
                differing.items()]  # fmt: skip
        if rows:
            yield table(["setting", *names], rows, facts=True)
        elif len(names) > 1:
            yield tag("p", "The configurations are the same, but for their folders.")
    for i, run in enumerate(runs):
        if run.config:
            summary = tag("summary", "config.gin of ", run_name(i, run.name))
            yield tag("details", summary, tag("pre", run.config, tabindex=0), id=f"config-{i}")
    if not any(run.config for run in runs):
        yield tag("p", "There is no config.gin.")
