"""Descriptions of Debian's packages: text, titles, classes and translations from one source.

61,000 packages of Debian 12, whose maintainers wrote a line, the synopsis, and some paragraphs for
each, and put it into one of 58 sections; volunteers translate them (DDTP). From apt's indices of
`main` (as the packages, free software). A point release changes a few of them. Split by source
package, one in ten held out, since packages of one source share text; each description once.

* `debian_text`: spans of descriptions cut out; baseline: how frequent each byte is.
* `debian_synopsis`: the synopsis from the paragraphs; baseline: the first sentence.
* `debian_section`: the section from all; baseline: linear, on the whole text.
* `debian_en_de`, `_fr`, `_it`, `_da`: translation of synopses; baseline: a copy of the English.
"""

import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from t2t_tasks import baselines
from t2t_tasks.labelled import held_out
from t2t_tasks.t5_features import BYT5_FEATURES

from t2t.data.objectives import SpanCorruption
from t2t.data.preprocessors import text_to_text
from t2t.data.registry import TaskRegistry
from t2t.data.sources.archives import ArchiveDataSource, data_folder
from t2t.data.sources.debian import LANGUAGES, index
from t2t.evaluation.metrics import accuracy, bleu, rouge_mean

PACKAGES = index("binary-amd64_Packages", "debian_section")
ENGLISH = index("i18n_Translation-en", "debian_synopsis")
OTHERS = {name: index(f"i18n_Translation-{name}", f"debian_en_{name}") for name in LANGUAGES[1:]}


def records(text: str) -> Iterator[dict[str, str]]:
    """Fields of each record of an index; lines of one field with newlines between."""
    for record in text.split("\n\n"):
        fields: dict[str, str] = {}
        for line in re.split(r"\n(?![ \t])", record.strip("\n")):
            name, colon, value = line.partition(":")
            if colon:
                fields[name] = value.strip()
        if fields:
            yield fields


def plain(description: str) -> tuple[str, str]:
    """Synopsis and paragraphs of a description field; only lists keep their line breaks."""
    synopsis, *lines = description.split("\n")
    paragraphs = ""
    for line in lines:
        text = line.strip()
        if text == ".":
            paragraphs += "\n\n"
        elif line.startswith("  ") or re.match(r"[-*+•] ", text):
            paragraphs += "\n" + text
        else:
            paragraphs += " " + text
    paragraphs = re.sub(r" *\n *", "\n", paragraphs)
    return synopsis.strip(), re.sub(r"\n{3,}", "\n\n", paragraphs).strip()


@functools.lru_cache(maxsize=1)
def _packages(folder: Path) -> dict[str, dict[str, str]]:
    """By the checksum of their description, the first package of each."""
    del folder  # part of the cache's key
    found: dict[str, dict[str, str]] = {}
    for record in records(PACKAGES.text()):
        source = record.get("Source", record.get("Package", "")).split(" ")[0]
        if "Description-md5" in record and "Section" in record:
            package = {"source": source, "section": record["Section"]}
            found.setdefault(record["Description-md5"], package)
    for record in records(ENGLISH.text()):
        package = found.get(record.get("Description-md5", ""), {})
        if package and "Description-en" in record:
            package["synopsis"], package["long"] = plain(record["Description-en"])
    return {key: package for key, package in found.items() if "synopsis" in package}


def packages(split: str) -> list[dict[str, str]]:
    """`{"source": ..., "section": ..., "synopsis": ..., "long": ..., "text": ...}`."""
    return [
        {**package, "text": f"{package['synopsis']}\n{package['long']}".strip()}
        for package in _packages(data_folder()).values()
        if held_out(package["source"]) == (split == "validation")
    ]


def described(split: str) -> list[dict[str, str]]:
    """Those packages that have paragraphs."""
    return [package for package in packages(split) if package["long"]]


def translations(language: str) -> Callable[[str], list[dict[str, str]]]:
    """Reads `{"en": synopsis, "other": synopsis}`, each English one once and in one split."""

    def pairs(split: str) -> list[dict[str, str]]:
        found: dict[str, dict[str, dict[str, str]]] = {"train": {}, "validation": {}}
        known = _packages(data_folder())
        for record in records(OTHERS[language].text()):
            package = known.get(record.get("Description-md5", ""))
            other = plain(record.get(f"Description-{language}", ""))[0]
            if package and other and other != package["synopsis"]:
                part = "validation" if held_out(package["source"]) else "train"
                pair = {"en": package["synopsis"], "other": other}
                found[part].setdefault(pair["en"], pair)
        trained = found["train"] if split == "validation" else {}
        return [pair for english, pair in found[split].items() if english not in trained]

    return pairs


def first_sentence(inputs: str) -> str:
    """Of the description, without a full stop."""
    text = inputs.removeprefix("synopsis: ")
    return re.split(r"(?<=[.!?])\s|\n", text, maxsplit=1)[0].rstrip(".")


TaskRegistry.add(
    "debian_text",
    source=ArchiveDataSource(packages, ["train", "validation"], [PACKAGES, ENGLISH]),
    preprocessors=[lambda example: {"targets": example["text"]}],
    objective=SpanCorruption(noise_density=0.15, mean_noise_span_length=8.0),
    output_features=BYT5_FEATURES,
)
TaskRegistry.add(
    "debian_synopsis",
    source=ArchiveDataSource(described, ["train", "validation"], [PACKAGES, ENGLISH]),
    preprocessors=[text_to_text("synopsis: {long}", "{synopsis}")],
    output_features=BYT5_FEATURES,
    metric_fns=[rouge_mean],
    baseline_fn=first_sentence,
)
TaskRegistry.add(
    "debian_section",
    source=ArchiveDataSource(packages, ["train", "validation"], [PACKAGES, ENGLISH]),
    preprocessors=[text_to_text("section: {text}", "{section}")],
    output_features=BYT5_FEATURES,
    metric_fns=[accuracy],
    baseline_fn=baselines.LinearClassifier(packages, "section: ", "text", "section"),
)
for _language, _index in OTHERS.items():
    TaskRegistry.add(
        f"debian_en_{_language}",
        source=ArchiveDataSource(
            translations(_language), ["train", "validation"], [PACKAGES, ENGLISH, _index]
        ),
        preprocessors=[text_to_text(f"{_language}: {{en}}", "{other}")],
        output_features=BYT5_FEATURES,
        metric_fns=[bleu],
        baseline_fn=baselines.copy(f"{_language}: "),
    )
