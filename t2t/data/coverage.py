"""How much of a text a vocabulary cannot represent."""

import collections
import dataclasses
import logging
import threading
import unicodedata
from collections.abc import Iterable

from t2t.data.vocabularies import Vocabulary

LOST_NOTICEABLE = 0.001
"""Share of characters whose loss is worth a warning."""
SPACES_NOTICEABLE = 0.01
"""Share of characters that are merged spaces: prose has some, in code they are indentation."""

_LISTED = 10
_CONTROLS = {"\n": "newline", "\r": "carriage return", "\t": "tab"}
_warned: set[str] = set()
_lock = threading.Lock()


@dataclasses.dataclass(frozen=True)
class CoverageReport:
    """What some texts lose on the way to ids and back.

    Attributes:
      what: the texts are, for messages: "task 'c4', feature 'inputs'".
      characters: number of characters in the texts.
      lost: count of each character that is lost, the most frequent first.
      merged_spaces: number of spaces lost, because others stand beside them or at an end of a text.
    """

    what: str
    characters: int
    lost: dict[str, int]
    merged_spaces: int

    @property
    def share(self) -> float:
        """Share of characters that are lost, without merged spaces."""
        return sum(self.lost.values()) / max(self.characters, 1)

    @property
    def merged_share(self) -> float:
        """Share of characters that are merged spaces."""
        return self.merged_spaces / max(self.characters, 1)

    @property
    def noticeable(self) -> bool:
        """Whether the loss is worth a warning."""
        return self.share > LOST_NOTICEABLE or self.merged_share > SPACES_NOTICEABLE

    def __str__(self) -> str:
        sentences = []
        if self.lost:
            listed = list(self.lost.items())[:_LISTED]
            names = ", ".join(f"{_name(c)} {_percent(n / self.characters)}" for c, n in listed)
            more = f" and {len(self.lost) - _LISTED} more" if len(self.lost) > _LISTED else ""
            sentences.append(
                f"cannot represent {_percent(self.share)} of the characters: {names}{more}"
            )
        if self.merged_spaces:
            sentences.append(
                f"merges or strips spaces, {_percent(self.merged_share)} of the characters"
            )
        return f"{self.what}: the vocabulary {'; it '.join(sentences) or 'loses nothing'}."


def check_coverage(vocabulary: Vocabulary, texts: Iterable[str], what: str) -> CoverageReport:
    """Encodes and decodes `texts` and counts the characters that do not come back.

    Another form of the same character does not count as a loss: compatibility forms (the ligature
    "fi" as two letters), other case, missing accents. What is no str is left out.
    """
    characters = 0
    lost: collections.Counter[str] = collections.Counter()
    strings = [text for text in texts if isinstance(text, str)]
    for text, ids in zip(strings, vocabulary.encode_batch(strings), strict=True):
        known = ids if vocabulary.unk_id is None else ids[ids != vocabulary.unk_id]
        decoded = vocabulary.decode(known)
        normalized = unicodedata.normalize("NFKC", text)
        characters += len(normalized)
        if decoded == text:
            continue
        before = collections.Counter(normalized)
        after = collections.Counter(unicodedata.normalize("NFKC", decoded))
        lost += _without_other_forms(before - after, after - before)
    merged_spaces = lost.pop(" ", 0)
    return CoverageReport(what, characters, dict(lost.most_common()), merged_spaces)


def warn_once(report: CoverageReport) -> bool:
    """Logs a warning if the loss is noticeable, once for each `what`; returns whether it did."""
    if not report.noticeable:
        return False
    with _lock:
        if report.what in _warned:
            return False
        _warned.add(report.what)
    logging.getLogger(__name__).warning(
        "%s Unless that is meant, replace such characters in a preprocessor, train a vocabulary "
        "that has them (tools/train_sentencepiece.py --byte_fallback --keep_whitespace), or use "
        "ByteVocabulary, which has all.",
        report,
    )
    return True


def _without_other_forms(
    lost: "collections.Counter[str]", gained: "collections.Counter[str]"
) -> "collections.Counter[str]":
    """Takes from `lost` the characters that came back without their case or accents."""
    kept = collections.Counter(lost)
    for character, count in lost.items():
        folded = unicodedata.normalize("NFKD", character.casefold())
        plain = [c for c in folded if not unicodedata.combining(c)]
        if plain and not character.isspace():
            returned = min([count, *(gained[c] for c in plain)])
            kept[character] -= returned
            gained.subtract(dict.fromkeys(plain, returned))
    return +kept


def _name(character: str) -> str:
    if character in _CONTROLS:
        return _CONTROLS[character]
    if character.isprintable() and not character.isspace():
        return character
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".strip()


def _percent(share: float) -> str:
    return f"{float(f'{100 * share:.2g}'):g} %"
