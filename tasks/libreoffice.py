"""Translation from German: the help pages of LibreOffice in two languages (MPL 2.0).

About 35,000 pairs of paragraphs, from Debian's packages libreoffice-help-en-us and -de. Both have
pages of one name with the same paragraphs in the same order; pages that differ in that are left
out. Held out is one English paragraph in twenty. Baseline, in bytes: a copy of the German.
"""

import functools
import html.parser
from pathlib import Path

from t2t_tasks import baselines
from t2t_tasks.labelled import held_out
from t2t_tasks.pieces import ENDED
from t2t_tasks.t5_features import BYT5_FEATURES

from t2t.data.features import Feature
from t2t.data.preprocessors import rekey, text_to_text
from t2t.data.registry import TaskRegistry
from t2t.data.sources.archives import Archive, ArchiveDataSource, data_folder
from t2t.data.vocabularies import ByteVocabulary
from t2t.evaluation.metrics import bleu

FETCH = "apt-get download libreoffice-help-en-us libreoffice-help-de"
ENGLISH = Archive(FETCH, "libreoffice-help-en-us_*.deb")
GERMAN = Archive(FETCH, "libreoffice-help-de_*.deb")
MARKS = ("p", "h1", "h2", "h3", "h4", "h5", "h6")


class _Paragraphs(html.parser.HTMLParser):
    """Texts of paragraphs and headings, in order, white space made single."""

    def __init__(self):
        super().__init__()
        self.texts: list[str] = []
        self._inside = False

    def handle_starttag(self, tag, attrs):
        if tag in MARKS:
            self._inside = True
            self.texts.append("")

    def handle_endtag(self, tag):
        if tag in MARKS:
            self._inside = False

    def handle_data(self, data):
        if self._inside:
            self.texts[-1] += data


def paragraphs(page: str) -> list[str]:
    """The texts of a page's paragraphs and headings; some may be empty."""
    parser = _Paragraphs()
    parser.feed(page)
    return [" ".join(text.split()) for text in parser.texts]


def help_pairs(split: str) -> list[dict[str, str]]:
    """`{"de": ..., "en": ...}`, each English paragraph once, the same in both languages never."""
    pairs = _pairs(data_folder())
    return [pair for pair in pairs if held_out(pair["en"], 20) == (split == "validation")]


def aligned_pairs(split: str) -> list[dict[str, str]]:
    """Without pairs of very unequal lengths, 5 of 100: some pages order their paragraphs anew."""
    return [
        pair
        for pair in help_pairs(split)
        if max(map(len, pair.values())) <= 2 * min(map(len, pair.values())) + 10
    ]


@functools.lru_cache(maxsize=1)  # of both splits: reading takes long
def _pairs(folder: Path) -> list[dict[str, str]]:
    del folder  # part of the cache's key
    english, german = (
        {path.split("/text/", 1)[1]: content.decode("utf-8") for path, content in pages.items()}
        for pages in (ENGLISH.read("text/*.html"), GERMAN.read("text/*.html"))
    )
    pairs: dict[str, str] = {}
    for name in english.keys() & german.keys():
        sides = paragraphs(english[name]), paragraphs(german[name])
        if len(sides[0]) == len(sides[1]):
            for en, de in zip(*sides, strict=True):
                if de and en and de != en:
                    pairs[en] = min(de, pairs.get(en, de))
    return [{"de": de, "en": en} for en, de in sorted(pairs.items())]


TaskRegistry.add(
    "libreoffice_de_en",
    source=ArchiveDataSource(help_pairs, ["train", "validation"], [ENGLISH, GERMAN]),
    preprocessors=[rekey({"inputs": "de", "targets": "en"})],
    output_features={"inputs": Feature(ByteVocabulary(extra_ids=0)), "targets": ENDED},
    metric_fns=[bleu],
)
TaskRegistry.add(
    "libreoffice_de_en_bytes",
    source=ArchiveDataSource(aligned_pairs, ["train", "validation"], [ENGLISH, GERMAN]),
    preprocessors=[text_to_text("English: {de}", "{en}")],
    output_features=BYT5_FEATURES,
    metric_fns=[bleu],
    baseline_fn=baselines.copy("English: "),
)
