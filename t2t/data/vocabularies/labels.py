"""Labels as text: classes of a sequence, tags of words."""

import functools
import json
from collections.abc import Sequence

from t2t.data.vocabularies.base import Vocabulary, digest
from t2t.errors import UserError, did_you_mean

_LISTED = 12


class LabelVocabulary(Vocabulary):
    """One id per label, from 0 in the order given: the classes of a head.

    A text is one label, or labels with white space between them, such as the tags of words. There
    is no padding, no end of sequence and no unknown label, so features have `add_eos=False`.
    """

    pad_id = -1
    eos_id = None
    unk_id = None

    def __init__(self, labels: Sequence[str]):
        """Raises UserError unless there are two labels or more, each once, none of them empty."""
        super().__init__()
        if isinstance(labels, str) or not all(isinstance(label, str) for label in labels):
            raise UserError(f"LabelVocabulary takes a tuple of labels as text, got {labels!r}.")
        self.labels = tuple(labels)
        if len(self.labels) < 2:
            raise UserError(f"LabelVocabulary needs two labels or more, got {self.labels!r}.")
        for label in self.labels:
            if label != label.strip() or not label:
                raise UserError(f"{label!r} is no label: it is empty, or has white space around.")
            if self.labels.count(label) > 1:
                raise UserError(f"LabelVocabulary has the label '{label}' twice.")

    @property
    def base_size(self) -> int:
        return len(self.labels)

    @functools.cached_property
    def fingerprint(self) -> str:
        return f"labels:{digest(json.dumps(self.labels).encode())}"

    @functools.cached_property
    def _ids(self) -> dict[str, int]:
        return {label: i for i, label in enumerate(self.labels)}

    @property
    def listed(self) -> str:
        """The labels, for messages."""
        left = len(self.labels) - _LISTED
        shown = ", ".join(map(repr, self.labels[:_LISTED]))
        return f"{shown} and {left} more" if left > 0 else shown

    def label_id(self, label: str) -> int:
        """The id of one label; raises UserError, with the nearest one, if there is none such."""
        try:
            return self._ids[label]
        except KeyError:
            raise UserError(
                f"'{label}' is none of the labels {self.listed}.{did_you_mean(label, self.labels)}"
            ) from None

    def token_id(self, name: str) -> int | None:
        return self._ids.get(name)

    def encode(self, text: str) -> list[int]:
        """The id of the label that the whole text is, or of each label in it.

        Raises:
          UserError: on what is no label.
        """
        whole = text.strip()
        if whole in self._ids:
            return [self._ids[whole]]
        labels = whole.split()
        if not any(label in self._ids for label in labels):
            labels = [whole] if whole else []
        return [self.label_id(label) for label in labels]

    def _decode(self, ids: Sequence[int]) -> str:
        return " ".join(self.labels[i] for i in ids)

    def _pieces(self) -> Sequence[str]:
        return self.labels
