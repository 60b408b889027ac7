"""English of 1769 into that of today: verses of the King James Version and the World English Bible.

31,000 verses that both have (public domain), from Debian's packages sword-text-kjv and
sword-text-web. Held out is one chapter in twenty. Baseline: a copy of the old verse.
"""

import functools
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from t2t_tasks.baselines import copy
from t2t_tasks.labelled import held_out
from t2t_tasks.t5_features import BYT5_FEATURES

from t2t.data.preprocessors import text_to_text
from t2t.data.registry import TaskRegistry
from t2t.data.sources.archives import Archive, ArchiveDataSource, data_folder
from t2t.evaluation.metrics import bleu

FETCH = "apt-get download sword-text-kjv sword-text-web"
OLD = Archive(FETCH, "sword-text-kjv_*.deb")
MODERN = Archive(FETCH, "sword-text-web_*.deb")

Verse = tuple[str, int]
"""Chapter, such as "Gen.1", and number of a verse."""


def entries(files: Mapping[str, bytes], testament: str) -> Iterator[str]:
    """Texts of a module of SWORD in its format zText, in order: introductions, chapters, verses.

    Of its three files one has books, each compressed (zlib), one their places, and one the book,
    start and length of every entry.
    """

    def table(kind: str, row: str) -> list[tuple[int, ...]]:
        return list(struct.iter_unpack(row, files[f"{testament}.bz{kind}"]))

    books = [
        zlib.decompress(files[f"{testament}.bzz"][start : start + size]) if size else b""
        for start, size, _ in table("s", "<3I")
    ]
    for book, start, size in table("v", "<2IH"):
        yield books[book][start : start + size].decode("utf-8")


def plain(markup: str) -> str:
    """The words of a verse in OSIS, without notes, headings and what stands behind its chapter."""
    markup = re.split(r"<chapter\b[^>]*\beID=", markup)[0]
    text = re.sub(r"<(note|title)\b.*?</\1>", " ", markup, flags=re.DOTALL)
    text = re.sub(r"<[^>]*>", "", text.replace("<div", " <div")).replace("¶", " ")
    return re.sub(r" (?=[,.;:!?\u2019\u201d])", "", " ".join(text.split()))


def verses(archive: Archive) -> dict[Verse, str]:
    """Each verse that is not empty. A chapter's entry names it; its verses follow in order."""
    found = {}
    paths = archive.read("modules/texts/ztext/*/[on]t.bz?")
    files = {path.rsplit("/", 1)[1]: content for path, content in paths.items()}
    for testament in ("ot", "nt"):
        chapter, number = "", 0
        for entry in entries(files, testament):
            number += 1
            if match := re.search(r'<chapter\b[^>]*\bosisID="([^"]+)"', entry):
                chapter, number = match[1], 0
            elif chapter and (text := plain(entry)):
                found[chapter, number] = text
    return found


@functools.lru_cache(maxsize=1)
def _both(folder: Path) -> list[tuple[Verse, str, str]]:
    del folder  # part of the cache's key
    old, modern = verses(OLD), verses(MODERN)
    return [(verse, old[verse], modern[verse]) for verse in old if verse in modern]


def pairs(split: str) -> list[dict[str, str]]:
    """`{"verse": "Gen.1:1", "old": ..., "modern": ...}`."""
    return [
        {"verse": f"{chapter}:{number}", "old": old, "modern": modern}
        for (chapter, number), old, modern in _both(data_folder())
        if held_out(chapter, 20) == (split == "validation")
    ]


TaskRegistry.add(
    "bible_modern",
    source=ArchiveDataSource(pairs, ["train", "validation"], [OLD, MODERN]),
    preprocessors=[text_to_text("modern: {old}", "{modern}")],
    output_features=BYT5_FEATURES,
    metric_fns=[bleu],
    baseline_fn=copy("modern: "),
)
