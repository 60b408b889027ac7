"""The predictions of the same examples, step by step."""

import difflib
from collections.abc import Iterator, Sequence

from t2t.reporting.html.markup import Markup, join, tag
from t2t.reporting.run_report.marks import count, run_name
from t2t.reporting.run_report.predictions import Key, Predictions, Said, interesting
from t2t.reporting.run_report.runs import Run

_EXAMPLES = 6
_OPEN_TASKS = 4
_LONGEST, _LONGEST_COMPARED = 1200, 400


def predictions(runs: Sequence[Run]) -> list[Markup]:
    """A block per task; none if nothing was predicted."""
    tasks = list(dict.fromkeys(task for run in runs for task in run.predictions))
    blocks: list[Markup] = []
    for task in tasks:
        of_task = {i: r.predictions[task] for i, r in enumerate(runs) if task in r.predictions}
        examples = list(_examples(of_task, runs))
        opened = {"open": "open"} if len(blocks) < _OPEN_TASKS else {}
        shown = tag("div", *examples, class_="examples")
        blocks.append(tag("details", tag("summary", task), shown, id=f"said-{task}", **opened))
    return blocks


def _examples(of_task: dict[int, Predictions], runs: Sequence[Run]) -> Iterator[Markup]:
    first, *others = of_task.values()
    shared = [key for key in first.examples if all(key in other.examples for other in others)]
    shown = list(of_task.items()) if shared else list(of_task.items())[:1]
    keys = shared or list(first.examples)
    said = {key: [found.examples[key] for _, found in shown] for key in keys}
    if not shared:
        yield tag("p", "The runs have no examples in common; these are the first run's.",
                  class_="note")  # fmt: skip
    for key in interesting(said, _EXAMPLES):
        yield _example(key, shown, runs)


def _example(key: Key, of_runs: Sequence[tuple[int, Predictions]], runs: Sequence[Run]) -> Markup:
    inputs, target = key
    rows: list[Markup] = []
    for i, found in of_runs:
        if len(runs) > 1:
            rows.append(run_name(i, runs[i].name))
        for first, last, said in _stretches(found.steps, found.examples[key]):
            steps = count(first) if first == last else f"{count(first)} to {count(last)}"
            verdict = "right" if said.right else "wrong"
            rows.append(tag("span", steps, class_="steps"))
            mark = "\u2713" if said.right else "\u2717"
            rows.append(tag("span", mark, class_=f"verdict {verdict}", role="img",
                            aria_label=verdict, title=verdict))  # fmt: skip
            shown = _cut(said.text) if said.right else _compared(said.text, target)
            rows.append(tag("span", shown, class_="text"))
    facts = [tag("div", tag("dt", what), tag("dd", _cut(text))) for what, text in
             (("inputs", inputs), ("target", target)) if text]  # fmt: skip
    return tag("div", tag("dl", *facts), tag("div", *rows, class_="said"), class_="example")


def _stretches(steps: Sequence[int], said: Sequence[Said]) -> Iterator[tuple[int, int, Said]]:
    """(first step, last step, prediction) where it stayed the same."""
    start = 0
    for i in range(1, len(said) + 1):
        if i == len(said) or said[i] != said[start]:
            yield steps[start], steps[i - 1], said[start]
            start = i


def _compared(text: str, target: str) -> Markup:
    """What the target does not have is marked."""
    if not text:
        return tag("small", "nothing")
    if max(len(text), len(target)) > _LONGEST_COMPARED:
        return join([_cut(text)])
    pieces: list[str] = []
    matcher = difflib.SequenceMatcher(None, text, target, autojunk=False)
    for kind, first, last, _, _ in matcher.get_opcodes():
        if first < last:
            piece = text[first:last]
            pieces.append(piece if kind == "equal" else tag("mark", piece))
    return join(pieces)


def _cut(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}… ({count(len(text))} characters)"
