"""How one or two texts make one row: special tokens around them, and what is cut."""

import dataclasses

import numpy as np

from t2t.data.features import FramedFeature
from t2t.data.vocabularies import Vocabulary
from t2t.errors import UserError


@dataclasses.dataclass(frozen=True)
class Framing:
    """`first` text `separator`, or `first` text `separator` pair `separator` (BERT, section 3.1).

    Attributes:
      first: id in front; None for none.
      separator: id after each text; the last token of every row.
    """

    first: int | None
    separator: int

    @classmethod
    def of(cls, vocabulary: Vocabulary, *, needs_first: bool) -> "Framing":
        """[CLS] and [SEP] of a vocabulary, or its start and end of sequence.

        Args:
          vocabulary: of the texts.
          needs_first: whether a head reads the first token.

        Raises:
          UserError: if the vocabulary has neither of the two that are needed.
        """
        first = vocabulary.cls_id if vocabulary.cls_id is not None else vocabulary.bos_id
        separator = vocabulary.sep_id if vocabulary.sep_id is not None else vocabulary.eos_id
        for id_, roles, name in (
            (separator, "a separator nor an end of sequence", "sep_token"),
            (first if needs_first else 0, "a [CLS] nor a start of sequence", "cls_token"),
        ):
            if id_ is None:
                raise UserError(
                    f"Rows of a head are framed by special tokens, but {vocabulary!r} has neither "
                    f"{roles}. Make the vocabulary with {name}='...'; a sentinel will do, such as "
                    f"{name}='<extra_id_0>' with extra_ids=1."
                )
        assert separator is not None
        return cls(first, separator)

    def around(self, vocabulary: Vocabulary) -> FramedFeature:
        """How a single text is read."""
        before = () if self.first is None else (self.first,)
        return FramedFeature(vocabulary, before=before, after=(self.separator,))

    def room(self, length: int, num_texts: int) -> int:
        """Tokens of texts that fit into a row of `length`.

        Raises:
          UserError: if there are none.
        """
        room = length - num_texts - (self.first is not None)
        if room < num_texts:
            raise UserError(
                f"sequence_length['inputs'] is {length}, which leaves {room} tokens for "
                f"{num_texts} texts between the special tokens; raise it."
            )
        return room

    def join(self, *texts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Int32 `[tokens]`: a row, and its types: 0 up to the first separator, then 1."""
        first = [] if self.first is None else [self.first]
        parts = [np.array(first, np.int32)]
        for text in texts:
            parts += [text.astype(np.int32), np.array([self.separator], np.int32)]
        types = np.zeros(sum(map(len, parts)), np.int32)
        types[len(first) + len(texts[0]) + 1 :] = 1
        return np.concatenate(parts), types


def longest_first(first: int, second: int, room: int) -> tuple[int, int]:
    """How many tokens of two texts to keep: the longer one is cut until both fit into `room`.

    As Hugging Face's "longest_first" does: if both have to be cut, they keep a half each, of an odd
    number the longer one (of equal ones the second) the larger half.
    """
    shorter, longer = min(first, second), max(first, second)
    if shorter + longer <= room:
        return first, second
    if shorter <= room - shorter:
        longer = room - shorter
    else:
        shorter, longer = room // 2, room - room // 2
    return (shorter, longer) if first <= second else (longer, shorter)
