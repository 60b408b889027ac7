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
def folder(nothing_installed):
    """A data folder with every archive."""
    nothing_installed.mkdir()
    archives.write_all(nothing_installed)
    return nothing_installed
