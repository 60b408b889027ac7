"""Rows that a head reads, from a task alone: as training makes them for an encoder."""

from t2t.data.converters import HeadFeatureConverter
from t2t.data.heads import (
    ClassRows,
    Framing,
    HeadRows,
    PairClassRows,
    SpanRows,
    TagRows,
    labels_of,
)
from t2t.data.tasks import Task
from t2t.errors import UserError, did_you_mean

_KINDS: dict[str, type[HeadRows]] = {"classes": ClassRows, "tags": TagRows, "spans": SpanRows}
LABELS_PER_ROW = {"classes": 1, "tags": None, "spans": 2}
"""By name of a head; None for a label per token."""


def check_head(name: str) -> None:
    """Raises UserError unless there is such a head."""
    if name not in LABELS_PER_ROW:
        raise UserError(
            f"--head: '{name}' is none of {', '.join(LABELS_PER_ROW)}."
            f"{did_you_mean(name, LABELS_PER_ROW)}"
        )


def converter_of(head: str) -> HeadFeatureConverter:
    """For a model that reads token types."""
    return HeadFeatureConverter(labels_per_row=LABELS_PER_ROW[head], token_types=True)


def rows_of(head: str, task: Task) -> HeadRows:
    """Rows of the task's texts and labels.

    Raises:
      UserError: if it has no such texts or labels, or its vocabulary nothing to put between them.
    """
    with task.named_errors():
        return _rows_of(head, task)


def _rows_of(head: str, task: Task) -> HeadRows:
    features, kind = task.output_features, _KINDS[head]
    kind.check(features)
    texts = features["inputs"].vocabulary
    framing = Framing.of(texts, needs_first=head != "tags")
    if kind is SpanRows:
        return SpanRows(texts, framing, max_answer_words=1)  # of predictions, which are not shown
    if kind is TagRows:
        return TagRows(texts, framing, labels_of(features))
    classes = PairClassRows if "pair" in features else ClassRows
    return classes(texts, framing, labels_of(features))
