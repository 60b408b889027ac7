"""Every processor is known to gin and to the documentation."""

import dataclasses
import importlib
import pkgutil
from pathlib import Path

import pytest

from t2t import config
from t2t.decoding import processors

PAGE = Path(__file__).parents[3] / "docs" / "generation.md"
MODULES = [
    importlib.import_module(f"{processors.__name__}.{found.name}")
    for found in pkgutil.iter_modules(processors.__path__)
]
CLASSES = [
    cls
    for module in MODULES
    for cls in vars(module).values()
    if dataclasses.is_dataclass(cls) and cls.__module__ == module.__name__
]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_gin_and_documentation_have_it(cls):
    assert f"{cls.__module__}:{cls.__name__}" in config.DECODING
    listed = PAGE.read_text(encoding="utf-8").split("Processors: ")[1].split("\n\n")[0]
    assert f"`{cls.__name__}`" in listed


def test_there_are_some():
    assert len(CLASSES) > 10
