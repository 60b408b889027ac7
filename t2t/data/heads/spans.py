"""Rows whose answer is a span of a context."""

import collections
import dataclasses
import logging
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from t2t.data.features import Feature
from t2t.data.heads.base import HeadRows, Reading, Row, log_softmax
from t2t.data.heads.words import encode_words, words_and_marks
from t2t.data.sources import Example
from t2t.data.vocabularies.labels import LabelVocabulary
from t2t.errors import UserError

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class SpanRows(HeadRows):
    """[CLS] question [SEP] context [SEP] and an answer in the context (BERT, section 4.2).

    The answer is looked for by words, letters and digits or single marks, and found where it stands
    first. The labels are the columns of its first and last token. An empty answer, or one that is
    cut away with the end of its context, is none: column 0 twice. One that is no words of the
    context has loss weights 0. Both are counted, and told in the log.

    Of the context's words that a row has, "word_starts" and "word_ends" are the columns of first
    and last tokens, "char_starts" and "char_ends" where they stand in the text.

    Attributes:
      max_answer_words: most words of a predicted answer.
    """

    max_answer_words: int

    text_features: ClassVar[tuple[str, ...]] = ("inputs", "pair")
    made: ClassVar[tuple[str, ...]] = (
        *HeadRows.made,
        *("word_starts", "word_ends", "char_starts", "char_ends"),
    )
    _seen: collections.Counter = dataclasses.field(
        default_factory=collections.Counter, init=False, compare=False, repr=False
    )

    @classmethod
    def check(cls, features: Mapping[str, Feature]) -> None:
        super().check(features)
        if isinstance(features["targets"].vocabulary, LabelVocabulary):
            raise UserError("its targets are labels, but answers are text as it stands in 'pair'.")

    def row(self, example: Example, length: int) -> dict[str, np.ndarray]:
        """The context is cut; the question only if it would fill more than half a row."""
        question_text, context_text = self.texts(example)
        room = self.framing.room(length, 2)
        question = self.vocabulary.encode_array(question_text)
        words = words_and_marks(context_text)
        tokens = encode_words(self.vocabulary, context_text, words)
        sizes = np.fromiter(map(len, tokens), np.int32, len(tokens))
        question = question[: max(room // 2, room - int(sizes.sum()))]
        ends = np.cumsum(sizes)
        kept = int(np.searchsorted(ends, room - len(question), side="right"))
        context = np.concatenate([*tokens[:kept], np.zeros(0, np.int32)])
        row, types = self.framing.join(question, context)
        begin = (self.framing.first is not None) + len(question) + 1
        chars = np.array(words[:kept], np.int32).reshape(-1, 2)
        return {
            "inputs": row,
            "token_types": types,
            "word_starts": (begin + ends - sizes)[:kept].astype(np.int32),
            "word_ends": (begin + ends - 1)[:kept].astype(np.int32),
            "char_starts": chars[:, 0],
            "char_ends": chars[:, 1],
        }

    def labels(self, row: Row, example: Example, targets: str) -> tuple[np.ndarray, np.ndarray]:
        context, answer = _words(example["pair"]), _words(targets)
        none, taken = np.zeros(2, np.int32), np.ones(2, np.int32)
        self._seen["answers"] += 1
        if not answer:
            return none, taken
        first = _find(answer, context)
        if first is None:
            self._count("no words of the context, and left out")
            return none, 0 * taken
        last = first + len(answer) - 1
        if last >= len(row["word_starts"]):
            self._count("cut away with the end of the context, and trained as no answer")
            return none, taken
        return np.array([row["word_starts"][first], row["word_ends"][last]], np.int32), taken

    def read(self, row: Row, example: Example, outputs: np.ndarray) -> Reading:
        """The best span of whole words, as it stands in the context; "" where none scores more."""
        logs = log_softmax(outputs[: len(row["inputs"])], axis=0)
        starts, ends = logs[row["word_starts"], 0], logs[row["word_ends"], 1]
        none = Reading("", float(logs[0].sum()))
        if not len(starts):
            return none
        last, first = np.arange(len(starts))[None], np.arange(len(starts))[:, None]
        allowed = (first <= last) & (last < first + self.max_answer_words)
        scores = np.where(allowed, starts[:, None] + ends[None], -np.inf)
        i, j = divmod(int(np.argmax(scores)), len(starts))
        if scores[i, j] < none.score:
            return none
        answer = example["pair"][row["char_starts"][i] : row["char_ends"][j]]
        return Reading(answer, float(scores[i, j]))

    def _count(self, what: str) -> None:
        self._seen[what] += 1
        count = self._seen[what]
        if count == 10 ** (len(str(count)) - 1):  # 1, 10, 100, ...
            log.warning("%d of %d answers are %s", count, self._seen["answers"], what)


def _words(text: str) -> list[str]:
    return [text[start:end] for start, end in words_and_marks(text)]


def _find(answer: Sequence[str], context: Sequence[str]) -> int | None:
    """Where `answer` first stands in `context`."""
    size = len(answer)
    places = (i for i, word in enumerate(context) if word == answer[0])
    return next((i for i in places if context[i : i + size] == answer), None)
