"""Everything that there is to see of a task or mixture, gathered before it is shown."""

import dataclasses
from collections.abc import Sequence

from t2t.data.converters import FeatureConverter
from t2t.data.features import SequenceLength
from t2t.data.heads import with_rows
from t2t.data.mixtures import Mixture, leaf_tasks, mixing_rates
from t2t.data.rows import Rows, open_rows
from t2t.data.tasks import Task
from t2t.errors import UserError
from t2t.reporting.inspection.facts import Part, composition, converter_for, place_of, task_facts
from t2t.reporting.inspection.head_rows import check_head, converter_of, rows_of
from t2t.reporting.inspection.lengths import FailedExampleError, Survey, survey
from t2t.reporting.inspection.packed_rows import PackedRows, packed_rows
from t2t.reporting.inspection.traces import Trace, Tracer


@dataclasses.dataclass(frozen=True)
class Settings:
    """What to look at.

    Attributes:
      split: of every task.
      sequence_length: tokens per feature; features that a task lacks are left out.
      count: examples per task to follow through the stages; 0 for none.
      sample: raw examples per task to measure; None for no measuring.
      seed: of the choice, and of every example's randomness.
      head: "classes", "tags" or "spans", to see the rows that such a head reads, and their labels.
    """

    split: str
    sequence_length: SequenceLength
    count: int = 2
    sample: int | None = None
    seed: int = 0
    head: str | None = None

    def __post_init__(self):
        for name, least in (("count", 0), ("sample", 1), ("seed", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UserError(f"--{name} must be {least} or more, got {value}.")
        for name, size in self.sequence_length.items():
            if size < 1:
                raise UserError(f"--{name}_length must be 1 or more, got {size}.")
        if self.head is not None:
            check_head(self.head)
            if self.sample is not None:
                raise UserError("--head shows single rows; leave out --lengths and --html.")

    def lengths(self, task: Task) -> SequenceLength:
        """Tokens per feature of the task."""
        return {n: size for n, size in self.sequence_length.items() if n in task.output_features}


@dataclasses.dataclass(frozen=True)
class TaskReport:
    """One task.

    Attributes:
      task: itself.
      share: of the mixture.
      facts: see `task_facts`.
      documents: an objective's raw examples at every stage.
      traces: examples, or an objective's segments, at every stage.
      survey: None unless asked for.
      packing: None unless asked for.
      skipped: the source's report of the records that it skipped, or "".
      error: what stopped a stage; everything found before it is there.
    """

    task: Task
    share: float
    facts: Sequence[tuple[str, str]]
    documents: Sequence[Trace]
    traces: Sequence[Trace]
    survey: Survey | None
    packing: PackedRows | None
    skipped: str
    error: str | None


@dataclasses.dataclass(frozen=True)
class Report:
    """A task or mixture.

    Attributes:
      name: of it.
      place: where it is defined.
      settings: what was looked at.
      parts: of a mixture; empty for a task.
      tasks: those that are drawn from.
      packing: of a mixture's rows, if asked for.
      errors: of all tasks.
    """

    name: str
    place: str
    settings: Settings
    parts: Sequence[Part]
    tasks: Sequence[TaskReport]
    packing: PackedRows | None
    errors: Sequence[str]


def collect(task_or_mixture: Task | Mixture, settings: Settings) -> Report:
    """Looks at every task; stages that fail are reported, and the others go on.

    Raises:
      UserError: if no task has the split, or a source cannot be read.
    """
    rates = mixing_rates(task_or_mixture, settings.split)
    tasks = [task for task in leaf_tasks(task_or_mixture) if task.name in rates]
    reports = [_task_report(task, rates[task.name], settings) for task in tasks]
    errors = [report.error for report in reports if report.error]
    packing = None
    if isinstance(task_or_mixture, Mixture) and settings.sample is not None and not errors:
        try:
            packing = _packed(task_or_mixture, tasks[0], settings)
        except UserError as error:
            errors.append(str(error))
    return Report(
        name=task_or_mixture.name,
        place=place_of(task_or_mixture),
        settings=settings,
        parts=composition(task_or_mixture, settings.split)
        if isinstance(task_or_mixture, Mixture)
        else [],
        tasks=reports,
        packing=packing,
        errors=errors,
    )


def _task_report(task: Task, share: float, settings: Settings) -> TaskReport:
    lengths, split = settings.lengths(task), settings.split
    traced, converter = _as_read(task, settings.head)
    tracer = Tracer(traced, split, lengths, converter, settings.seed)
    traces = list(tracer.examples(settings.count))
    documents: list[Trace] = []
    measured = packing = None
    error = next((trace.error for trace in traces if trace.error), None)
    rows: Rows | None = None
    try:
        if task.objective is not None:
            documents, traces = traces, []
            if error is None:
                rows = open_rows(task, split, lengths)
                traces = list(tracer.segments(rows, settings.count))
                error = next((trace.error for trace in traces if trace.error), None)
        if settings.sample is not None:
            measured = survey(task, split, lengths, settings.sample, settings.seed, rows)
            if error is None:
                packing = _packed(task, task, settings)
    except FailedExampleError as raised:
        error = error or str(raised)
        (traces if rows is None else documents).append(tracer.example(raised.index))
    except UserError as raised:
        error = error or str(raised)
    skipped = task.source.skipped
    return TaskReport(
        task=task,
        share=share,
        facts=task_facts(task),
        documents=documents,
        traces=traces,
        survey=measured,
        packing=packing,
        skipped=str(skipped) if len(skipped) else "",
        error=error,
    )


def _as_read(task: Task, head: str | None) -> tuple[Task, FeatureConverter]:
    """The task as training on it reads it, and what makes rows of its examples."""
    if head is None:
        return task, converter_for(task, pack=False)
    traced = with_rows(task, rows_of(head, task))
    assert isinstance(traced, Task)
    return traced, converter_of(head)


def _packed(item: Task | Mixture, task: Task, settings: Settings) -> PackedRows:
    converter = converter_for(task, pack=True)
    return packed_rows(item, settings.split, settings.lengths(task), converter, settings.seed)
