"""Names that the tables of the guides put beside those of T5X and Hugging Face exist."""

import inspect
import re

import pytest

from t2t import cli, config
from tests.docs.pages import ROOT
from tests.docs.test_guides import resolve

config.load()
CONFIGURABLES = {name: inspect.signature(made) for name, made in config._registered.items()}
GUIDES = [ROOT / "docs" / f"{name}.md" for name in ("from_t5x", "from_hugging_face")]
MACROS = {"MIXTURE", "TRAIN_STEPS", "INIT_FROM", "VOCAB_SIZE"}


def spans(page):
    """What is code in the right column of its tables."""
    rows = [line for line in page.read_text(encoding="utf-8").splitlines() if line[:2] == "| "]
    cells = [re.split(r"(?<!\\)\|", row)[2] for row in rows]
    return [span for cell in cells for span in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_parameters_of_gin_exist(page):
    found, owner = [], ""
    for span in spans(page):
        owner_of, name = re.fullmatch(r"(\w*)\.?(\w*).*", span, re.DOTALL).groups()
        owner = owner_of or owner
        if owner in CONFIGURABLES and name:
            assert name in CONFIGURABLES[owner].parameters, span
            found.append(name)
        for called in re.findall(r"@(\w+)\(", span):
            assert called in CONFIGURABLES, span
    assert len(found) > 25


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_flags_and_modules_exist(page):
    parser = cli._parser()
    known = {*parser._words(), "--process_id"}
    for span in spans(page):
        for flag in re.findall(r"--[a-z]\w+", span):
            assert flag in known, span
        for command in re.findall(r"^t2t (\w+)", span):
            assert command in known, span
        for name in re.findall(r"^(t2t\.[\w.]+)", span):
            resolve(name)
