"""Rows that a head reads, from a task alone: as training makes them for an encoder."""

from t2t.data.converters import HeadFeatureConverter
from t2t.data.heads import ClassRows, Framing, HeadRows, PairClassRows, SpanRows, TagRows
from t2t.data.tasks import Task
from t2t.data.vocabularies import LabelVocabulary
from t2t.errors import UserError, did_you_mean

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
    features = task.output_features
    for name in ("inputs", "pair") if head == "spans" else ("inputs",):
        if name not in features:
            raise UserError(
                f"--head={head} reads the feature '{name}', but there is only "
                f"{', '.join(map(repr, features))}."
            )
    texts, labels = features["inputs"].vocabulary, features["targets"].vocabulary
    framing = Framing.of(texts, needs_first=head != "tags")
    if head == "spans":
        if isinstance(labels, LabelVocabulary):
            raise UserError(
                "its targets are labels; --head=spans takes answers as they stand in 'pair'."
            )
        return SpanRows(texts, framing, max_answer_words=1)  # of predictions, which are not shown
    if not isinstance(labels, LabelVocabulary):
        raise UserError(
            f"--head={head} reads labels, but the vocabulary of 'targets' is {labels!r}, not a "
            f"LabelVocabulary."
        )
    if head == "tags":
        return TagRows(texts, framing, labels)
    kind = PairClassRows if "pair" in features else ClassRows
    return kind(texts, framing, labels)
