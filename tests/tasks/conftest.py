"""Tiny archives instead of the packages that are installed or downloaded."""

import importlib.metadata

import pytest

from tests import archives


@pytest.fixture
def nothing_installed(tmp_path, monkeypatch):
    """An empty data folder; no package with data is installed."""
    folder = tmp_path / "data"
    monkeypatch.setenv("T2T_DATA_DIR", str(folder))

    def none(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", none)
    return folder


@pytest.fixture
def folder(nothing_installed, monkeypatch):
    """A data folder with every archive, and enough in each for every split."""
    nothing_installed.mkdir()
    reviews = [(3 - i % 7 + 0.5, f"Sentence {i} of a review.") for i in range(60)]
    monkeypatch.setattr(archives, "REVIEWS", reviews)
    news = [(("earn", "ship")[i % 2], f"item {i} of the news") for i in range(60)]
    monkeypatch.setattr(archives, "NEWS", {"train": news, "test": news[:2]})
    for language, word in (("en-US", "Paragraph"), ("de", "Absatz")):
        page = "".join(f"<p>{word} {i}</p>" for i in range(60))
        monkeypatch.setitem(archives.PAGES[language], "many.html", page)
    archives.write_all(nothing_installed)
    return nothing_installed
