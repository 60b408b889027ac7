"""Rows of tasks under an objective: segments of tokenised documents."""

from collections.abc import Sequence

import numpy as np

from t2t.data import randomness
from t2t.data.converters import TokenExample
from t2t.data.features import SequenceLength
from t2t.data.objectives.segments import Documents, TokenSegments
from t2t.data.rows.base import Rows, Unit, read
from t2t.data.sources import Example
from t2t.data.tasks import Task
from t2t.data.tokenization import tokenize
from t2t.errors import UserError

_CHUNK = 1024


class ObjectiveRows(Rows):
    """Segments of documents, to be corrupted by the task's objective."""

    def __init__(self, task: Task, sequence_length: SequenceLength):
        super().__init__(task, sequence_length)
        assert task.objective is not None
        self._objective = task.objective
        with task.named_errors():
            for feature in task.output_features.values():
                feature.check_end()
            self.segmentation = self._objective.segmentation(task.output_features, sequence_length)

    def examples(self, units: Sequence[Unit], keys: np.ndarray) -> list[TokenExample]:
        with self.task.named_errors():
            return list(
                self._objective(units, keys, self.task.output_features, self.sequence_length)
            )

    def _paired(self, segments: Sequence[np.ndarray], index: int, key: int) -> Unit:
        if not self.segmentation.with_partner:
            return segments[index]
        draw = int(randomness.random_bits(np.array([key], np.uint64), 1)[0, 0])
        partner = (index + 1 + draw % max(len(segments) - 1, 1)) % len(segments)  # another one
        return segments[index], segments[partner]


class SegmentRows(ObjectiveRows):
    """Segments of documents that are all at hand, in memory or memory-mapped."""

    def __init__(self, task: Task, sequence_length: SequenceLength, documents: Documents):
        super().__init__(task, sequence_length)
        self._segments = TokenSegments(documents, self.segmentation)
        if not len(self._segments):
            raise UserError(
                f"Task '{task.name}': its texts are too short to make a single segment of."
            )

    def __len__(self) -> int:
        return len(self._segments)

    def units(self, indices: Sequence[int], keys: np.ndarray) -> list[list[Unit]]:
        return [
            [self._paired(self._segments, i, int(key))]
            for i, key in zip(indices, keys, strict=True)
        ]


class BlockRows(ObjectiveRows):
    """Blocks of neighbouring documents, tokenised when drawn: for text too large for memory.

    The segments of a block come in a random order, so that two rows that draw the same block do not
    read it in step.
    """

    def __init__(
        self,
        task: Task,
        sequence_length: SequenceLength,
        raw: Sequence[Example | None],
        documents_per_block: int,
    ):
        super().__init__(task, sequence_length)
        self._raw, self._documents_per_block = raw, documents_per_block

    def __len__(self) -> int:
        return -(-len(self._raw) // self._documents_per_block)

    def units(self, indices: Sequence[int], keys: np.ndarray) -> list[list[Unit]]:
        made = []
        for index, key in zip(indices, keys, strict=True):
            start = index * self._documents_per_block
            stop = min(start + self._documents_per_block, len(self._raw))
            documents = read_documents(self.task, self._raw, range(start, stop), int(key))
            segments = TokenSegments(documents, self.segmentation)
            order = np.argsort(randomness.random_bits(np.array([key], np.uint64), len(segments))[0])
            made.append([self._paired(segments, i, int(key) ^ i) for i in order.tolist()])
        return made


def read_documents(
    task: Task, raw: Sequence[Example | None], indices: Sequence[int], key: int = 0
) -> Documents:
    """Tokenises the "targets" of raw examples, without ends of sequence."""
    feature = task.output_features["targets"]
    documents: list[np.ndarray] = []
    for start in range(0, len(indices), _CHUNK):
        chunk = indices[start : start + _CHUNK]
        keys = [key ^ index for index in chunk]
        groups = task.preprocess_batch(read(task, raw, chunk), chunk, keys, read_from=raw)
        examples = [example for group in groups for example in group]
        texts = [example["targets"] for example in examples]
        with task.named_errors():
            if all(isinstance(text, str) for text in texts):
                documents += feature.vocabulary.encode_batch(texts)
            else:  # some preprocessor tokenised
                tokens = tokenize(examples, {"targets": feature})
                documents += [example["targets"] for example in tokens]
    return Documents.join(documents)
